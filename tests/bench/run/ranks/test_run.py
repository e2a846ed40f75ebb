"""Runs of a split model on this machine, a simulated meter for each rank, against what they truly drew."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.report import cautions
from bench.report.export.collect import collect
from bench.report.readback import read_back
from bench.run import store
from bench.run.ranks import group
from bench.run.records import RequestRecord, SlotRecord
from bench.run.store import StoredRun
from energy.lab.simulated import TRUTH
from tests.bench.processes import bench
from tests.bench.runs import run_folder
from tests.bench.suites import write_suite
from tests.energy.lab.truth import read_truth
from tests.tiny_models import save_tiny_qwen2
from tests.waiting import TIMEOUT_S

OTHERS = {"mlx": 0, "mlx@tensor": 2, "mlx@pipeline": 1}
"""Ranks beside the first."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """One rank, three that share every matrix, and two that share the layers."""
    folder = tmp_path_factory.mktemp("ranks")
    write_suite(
        folder,
        backends=list(OTHERS),
        models={"full": {"name": str(save_tiny_qwen2(folder / "qwen2"))}},
        backend_options={"mlx@tensor": {"ranks": 3}},
        gates={"ungated": {}},
        prompts__limit=1,
        protocol__a_a=False,
        protocol__min_window_s=0.3,
        protocol__latency_prompts=0,
        protocol__request_deadline_s=TIMEOUT_S,
        energy={"source": "simulated", "interval_ms": 10},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "BARRIERS", 20)  # three ranks wait for each other on fewer cores
        done = bench("run", "suite.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return store.read(run_folder(folder / "results"))


def true_j(run: StoredRun, slot: SlotRecord) -> float:
    """What all ranks drew, each between the instants of its own clock."""
    session = run.session_folder(slot.session)
    windows = [(session, slot.start_s, slot.end_s)]
    windows += [(session / rank.meter, rank.start_s, rank.end_s) for rank in slot.ranks]
    return sum(
        float(read_truth(folder / TRUTH).joules_between(start_s, end_s).sum())
        for folder, start_s, end_s in windows
    )


def test_joules_are_the_sum_of_all_ranks_within_the_bound(run: StoredRun) -> None:
    slots = run.of(SlotRecord)
    assert {slot.backend for slot in slots} == set(OTHERS)
    for slot in slots:
        assert [rank.rank for rank in slot.ranks] == list(range(1, 1 + OTHERS[slot.backend]))
        assert slot.joules.total_j is not None
        assert slot.joules.bound_j is not None
        assert abs(slot.joules.total_j - true_j(run, slot)) <= slot.joules.bound_j
        assert (
            slot.joules.total_j > sum(rank.joules.total_j or 0.0 for rank in slot.ranks) > 0 or not slot.ranks
        )
        assert all(rank.skew_s > 0 for rank in slot.ranks)


def test_tokens_equal_those_of_one_rank(run: StoredRun) -> None:
    tokens: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for request in run.of(RequestRecord):
        tokens[request.backend][request.prompt_id] = request.tokens
    assert set(tokens) == {"mlx", "mlx@tensor", "mlx@pipeline"}
    assert tokens["mlx"] == tokens["mlx@tensor"] == tokens["mlx@pipeline"]


def test_joules_are_read_back_from_the_streams_of_all_ranks(run: StoredRun) -> None:
    for slot in read_back(run).slots:
        [stored] = [one for one in run.of(SlotRecord) if one.place == slot.record.place]
        assert slot.gross_j == pytest.approx(stored.joules.total_j, rel=1e-3)
        assert (slot.net_j is None) == (slot.backend != "mlx")


def test_the_report_says_what_no_meter_sees(run: StoredRun) -> None:
    readback = read_back(run)
    said = {
        one.subject: one.said
        for one in cautions.cautions(readback, [], judged={}, rows=[])
        if one.code == "ranks"
    }
    assert set(said) == {"mlx@tensor", "mlx@pipeline"}
    assert "the sum of 3 ranks" in said["mlx@tensor"]
    assert "switches, docks and cables" in said["mlx@tensor"]


def test_joules_above_an_idle_that_was_not_measured_are_null_in_every_table(
    run: StoredRun, tmp_path: Path
) -> None:
    done = bench("export", str(run.folder), "--format", "json", "--out", "tables.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    collected = collect([run.folder], tmp_path / "all.parquet")
    rows = json.loads((tmp_path / "tables.json").read_text())["configurations"]
    rows += json.loads((tmp_path / "tables.json").read_text())["windows"]
    rows += pq.read_table(collected.file).to_pylist()
    split = [row for row in rows if row["backend"] != "mlx"]
    assert len(split) == 2 + 2 * 4
    net_j = [row[name] for row in split for name in ("net_per_repeat_j", "net_j") if name in row]
    assert net_j == [None] * len(split)
