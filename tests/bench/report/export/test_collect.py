"""Many runs in one file: the same slots as each run read back alone."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.rows import Slot
from bench.errors import UserError
from bench.report.export.collect import collect, run_folders
from bench.report.export.collect_summary import summarise
from bench.report.names import WORDS
from bench.report.readback import read_back
from bench.run import store
from bench.studies.claims.evidence import read_evidence
from bench.studies.claims.reproduce import reproduce
from bench.suite.bundled import configs_folder
from bench.suite.prompts import load_prompts
from tests.bench.at_hand import QUICK, quick
from tests.bench.suites import write_suite

SUITE = configs_folder() / "published" / "routing_short.toml"
PROMPTS = load_prompts("short_questions", beside=SUITE.parent)
HEADER: dict[str, Any] = {
    "schema": 1,
    "run_id": "one",
    "started_utc": "2026-01-01T00:00:00+00:00",
    "suite": {"name": "quick", "path": "routing_short.toml", "sha256": "0" * 64, "text": SUITE.read_text()},
    "overrides": {"backends": None, "blocks": None},
    "energy": {"source": "powermetrics", "options": {}, "cross_check": []},
    "backends": ["torch"],
    "baseline": "ungated",
    "threshold": 0.02,
    "gates": ["ungated", "norm_fraction"],
    "prompts": {"file": PROMPTS.file.name, "sha256": PROMPTS.sha256, "ids": [p.id for p in PROMPTS.prompts]},
    "models": {"full": {"name": "m", "revision": "r", "weight_sha256": "2" * 64}},
    "host": {"chip": "Apple M3", "gpu_cores": 10, "memory_bytes": 16, "power_mode": "automatic"},
    "packages": {"torch": "2.13.0"},
    "python": "3.11.7",
    "git": {"commit": "abc", "dirty": False},
}


def energy(total_j: float | None, **changes: Any) -> dict[str, Any]:
    stated = {"kind": "measured", "boundary": "soc_cpu_gpu_ane", "readings": 600, "bound_j": 0.1}
    stated |= {"grade": 2, "grade_name": "metered", "grade_reasons": []}
    return {"total_j": total_j, "rails_j": {"cpu": total_j}, "withheld": None, **stated, **changes}


def write_run(
    out: Path, name: str, *, blocks: int = 5, saved: float = 0.53, again: float = 1.0, **changes: Any
) -> Path:
    """A run folder of two arms and the A/A arm; the gated arm uses `saved` less."""
    folder = out / name
    folder.mkdir(parents=True)
    header = {**HEADER, "run_id": name, "host": {**HEADER["host"], **changes.pop("host", {})}}
    (folder / "run.json").write_text(json.dumps(header))
    lines = []
    for where in ("before", "after"):
        place = {"schema": 1, "session": 1, "where": where, "start_s": 0.0, "end_s": 10.0}
        lines.append({"type": "idle", **place, "joules": energy(5.0)})
    arms = [("ungated", False, 1.0), ("ungated", True, again), ("norm_fraction", False, 1 - saved)]
    for block in range(1, blocks + 1):
        for position, (gate, a_a, share) in enumerate([*arms, *arms[::-1]], start=1):
            place = {"schema": 1, "session": 1, "block": block, "position": position}
            place |= {"backend": "torch", "gate": gate, "a_a": a_a}
            work = {"prompt_id": "a", "prompt_tokens": 7, "tokens": [1, 2, 3], "forwards": 2, "error": None}
            work |= {"model": "full", "pass_number": 1, "gated_s": 1.0, "prefilled_s": 1.1}
            lines.append({"type": "request", **place, "start_s": 1.0, "end_s": 2.0, **work})
            joules = energy(100 * share * (1 + 0.001 * ((block * 7 + position) % 5)), **changes)
            window = {"start_s": 0.0, "end_s": 60.0, "passes": 1, "error": None}
            lines.append({"type": "slot", **place, **window, "joules": joules})
        lines.append({"type": "block", "schema": 1, "session": 1, "block": block})
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_data_set_holds_the_slots_that_reading_back_gives(tmp_path: Path) -> None:
    write_suite(tmp_path, **QUICK, protocol__blocks=2)
    quick("run", "suite.toml", cwd=tmp_path)
    collected = collect([tmp_path / "results"], tmp_path / "runs.parquet")
    folder = run_folders([tmp_path / "results"])[0]
    alone = read_back(store.read(folder)).slots
    (evidence,) = read_evidence(collected.file)
    assert collected.slots == len(alone) == 12
    for one, other in zip(evidence.slots, alone, strict=True):
        assert (one.gross_j, one.net_j) == pytest.approx((other.gross_j, other.net_j))
        rest = [field.name for field in fields(Slot) if field.name not in ("gross_j", "net_j")]
        assert [getattr(one, name) for name in rest] == [getattr(other, name) for name in rest]


def test_the_requests_of_a_batch_are_counted_one_by_one(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "one")
    records = (folder / "records.jsonl").read_text()
    (folder / "records.jsonl").write_text(records.replace('"forwards": 2', '"forwards": 2, "batch": 3'))
    (evidence,) = read_evidence(collect([tmp_path], tmp_path / "runs.parquet").file)
    slot = evidence.slots[0]
    assert (slot.requests, slot.prompt_tokens, slot.new_tokens, slot.forwards) == (3, 21, 9, 2)


def test_a_data_set_of_version_0_1_0_is_read_as_one_of_today(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    file = collect([tmp_path], tmp_path / "runs.parquet").file
    (now,) = read_evidence(file)
    table = pq.read_table(file)
    assert {"configuration", "repeats", "generated_tokens"} <= set(table.column_names)
    then = {word: name for name, word in WORDS.items()}
    labels = [
        f"torch {gate}{' (A/A)' if 'A/A' in label else ''}"
        for gate, label in zip(*(table[name].to_pylist() for name in ("gate", "configuration")), strict=True)
    ]
    table = table.set_column(table.column_names.index("configuration"), "configuration", [labels])
    pq.write_table(table.rename_columns([then.get(name, name) for name in table.column_names]), file)
    (old,) = read_evidence(file)
    assert old.slots == now.slots


def test_every_row_says_where_it_comes_from(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    write_run(tmp_path, "two", host={"chip": None, "gpu_cores": None, "power_mode": None})
    rows = pq.read_table(collect([tmp_path], tmp_path / "runs.parquet").file).to_pylist()
    assert {row["run"]: row["chip"] for row in rows} == {"one": "Apple M3", "two": None}
    assert rows[0]["suite"] == "routing_short"
    assert json.loads(rows[0]["weights_sha256"]) == {"full": "2" * 64}
    assert rows[0]["torch_version"] == "2.13.0"
    assert rows[0]["git_commit"] == "abc"
    assert rows[0]["net_j"] == pytest.approx(rows[0]["gross_j"] - 30)


def test_claims_are_judged_on_a_data_set_and_machines_are_kept_apart(tmp_path: Path) -> None:
    for number, name in enumerate("abde"):
        write_run(tmp_path, name, blocks=3, saved=0.53 + 0.002 * number, again=1 + 0.001 * number)
    write_run(tmp_path, "c", saved=0.0, host={"gpu_cores": 8})
    file = collect([tmp_path], tmp_path / "runs.parquet").file
    (row,) = reproduce(["routing.short.energy"], [file])
    found = {again.runs: again for again in row.remeasured}
    pooled = found["a", "b", "d", "e"]
    assert pooled.blocks == 12
    assert pooled.integrated.verdict == "reproduced", pooled.integrated.why
    assert found[("c",)].integrated.verdict == "not reproduced"
    assert found[("c",)].note is None


def test_mixed_boundaries_get_no_number(tmp_path: Path) -> None:
    write_run(tmp_path, "a")
    write_run(tmp_path, "b", boundary="package")
    file = collect([tmp_path], tmp_path / "runs.parquet").file
    (row,) = reproduce(["routing.short.energy"], [file])
    (again,) = row.remeasured
    assert again.integrated.change_percent is None
    assert "different boundaries" in again.integrated.why
    assert len({line["boundary"] for line in summarise(file)}) == 2


def test_cut_blocks_torn_lines_and_void_slots_do_not_count(tmp_path: Path) -> None:
    records = write_run(tmp_path, "a") / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(lines[:-1]) + '{"type": "slot", "sess')
    collected = collect([tmp_path], tmp_path / "runs.parquet")
    assert collected.slots == 24
    empty = write_run(tmp_path, "b", blocks=1) / "records.jsonl"
    lines = empty.read_text().splitlines(keepends=True)
    empty.write_text("".join(line for line in lines if '"type": "block"' not in line))
    assert collect([tmp_path], tmp_path / "runs.parquet").without_whole_block == ("b",)


def test_a_slot_without_joules_withholds_the_sum(tmp_path: Path) -> None:
    records = write_run(tmp_path, "a") / "records.jsonl"
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    next(line for line in lines if line["type"] == "slot")["joules"]["total_j"] = None
    records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows = summarise(collect([tmp_path], tmp_path / "runs.parquet").file)
    assert [row["gross_j"] is None for row in rows].count(True) == 1


def test_windows_whose_requests_are_gone_have_no_joules_per_request(tmp_path: Path) -> None:
    records = write_run(tmp_path, "a") / "records.jsonl"
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    kept = [line for line in lines if (line["type"], line.get("gate")) != ("request", "norm_fraction")]
    records.write_text("".join(json.dumps(line) + "\n" for line in kept))
    rows = summarise(collect([tmp_path], tmp_path / "runs.parquet").file)
    per = {row["configuration"]: row["joules_per_request"] for row in rows}
    assert [name for name, joules in per.items() if joules is None] == ["torch norm_fraction"]


def test_bad_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder in"):
        collect([tmp_path], tmp_path / "runs.parquet")
    records = write_run(tmp_path, "a") / "records.jsonl"
    for kind in ("slot", "session"):
        records.write_text(f'{{"type": "{kind}", nonsense}}\n')
        with pytest.raises(UserError, match=r"records.jsonl, line 1, is damaged"):
            collect([tmp_path], tmp_path / "runs.parquet")
    assert not (tmp_path / "runs.parquet").exists()
    (tmp_path / "other.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="can't read the data set"):
        read_evidence(tmp_path / "other.parquet")


def test_a_data_set_is_called_parquet(tmp_path: Path) -> None:
    write_run(tmp_path, "a")
    with pytest.raises(UserError, match=r"give one such as .*runs\.parquet"):
        collect([tmp_path], tmp_path / "runs.csv")
    assert not (tmp_path / "runs.csv").exists()


def test_slots_that_were_throttled_are_left_out_of_claims_on_a_data_set(tmp_path: Path) -> None:
    write_run(tmp_path, "hot", thermal="Heavy")
    (row,) = reproduce(["routing.short.energy"], [collect([tmp_path], tmp_path / "runs.parquet").file])
    (again,) = row.remeasured
    assert again.integrated.verdict == "not testable here"
    assert "left out: 5 blocks (throttled: thermal pressure Heavy)" in again.integrated.why
