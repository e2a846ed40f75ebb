"""A whole run, as a user starts it: what is stored and printed, and what happens when it is cut short."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.report.readback import read_back
from bench.report.summary import summarise
from bench.run import store
from bench.run.display.plain import PlainDisplay
from bench.run.records import EventRecord, IdleRecord, RequestRecord, SlotRecord
from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import are_gone, bench, children_of, of_type, records, start
from tests.bench.runs import SAID, run_folder, run_suite
from tests.bench.suites import write_suite
from tests.energy.lab.truth import read_truth
from tests.waiting import TIMEOUT_S, wait_for


def copied(run: Path, home: Path) -> Path:
    """The run under `results` of another folder, where it may be changed."""
    return shutil.copytree(run, home / "results" / run.name)


def test_a_run_stores_what_it_did_and_prints_a_labelled_table(echo_run: Path) -> None:
    said = (echo_run.parent.parent / SAID).read_text(encoding="utf-8")
    assert "NOT a measurement" in said
    assert "so far: a claim needs 5 blocks" in " ".join(said.split())
    assert "\x1b" not in said
    run = store.read(echo_run)
    slots = run.of(SlotRecord)
    assert [slot.position for slot in slots] == [1, 2, 3, 4, 5, 6]
    assert all(slot.joules.kind == "modelled" for slot in slots)
    assert all((slot.joules.total_j or 0) > 0 for slot in slots)
    assert [idle.where for idle in run.of(IdleRecord)] == ["before", "after"]
    assert run.header.prompts.ids == ["short", "long"]
    assert len(run.header.prompts.sha256) == 64
    assert [e.kind for e in run.of(EventRecord)] == ["finished"]


def test_phases_lie_inside_the_window_and_forwards_are_one_less_than_tokens(echo_run: Path) -> None:
    run = store.read(echo_run)
    windows = {slot.position: (slot.start_s, slot.end_s) for slot in run.of(SlotRecord)}
    requests = run.of(RequestRecord)
    assert requests
    for request in requests:
        start_s, end_s = windows[request.position]
        stamps = [request.start_s, request.gated_s, request.prefilled_s, request.end_s]
        assert [start_s, *stamps, end_s] == sorted([start_s, *stamps, end_s])
        assert request.forwards == len(request.tokens) - 1 == 3
        routed_small = request.gate == "length" and request.prompt_id == "short"
        assert request.model == ("small" if routed_small else "full")


@pytest.mark.usefixtures("no_figures")
def test_the_report_is_recomputed_from_the_raw_stream_and_written_as_csv_and_parquet(
    echo_run: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    folder = copied(echo_run, tmp_path)
    stored = {slot["position"]: slot["joules"]["total_j"] for slot in of_type(folder.parent, "slot")}
    before = (folder / "report" / "configurations.csv").read_bytes()
    (folder / "report" / "configurations.csv").unlink()
    done = bench("report", str(folder), "--json", cwd=tmp_path)
    rows = json.loads(done.stdout)["rows"]
    assert (folder / "report" / "configurations.csv").read_bytes() == before
    assert pq.read_table(folder / "report" / "configurations.parquet").to_pylist() == rows
    with (folder / "report" / "configurations.csv").open(newline="") as file:
        assert {row["kind"] for row in csv.DictReader(file)} == {"modelled"}
    recomputed = {slot.record.position: slot.gross_j for slot in read_back(store.read(folder)).slots}
    assert recomputed == pytest.approx(stored, rel=1e-9)
    gated = next(row for row in rows if row["gate"] == "length")
    assert gated["routed_to_small"] == 1
    assert gated["noise_percent"] is not None
    assert gated["joules_saved_percent"] > 5


@pytest.mark.usefixtures("no_figures")
def test_simulated_joules_are_those_of_the_stand_ins_own_log(tmp_path: Path) -> None:
    energy = {"source": "simulated", "interval_ms": 20}
    short = {"protocol__min_window_s": 1.0, "protocol__a_a": False, "gates": {"ungated": {}}}
    folder = run_suite(tmp_path, energy=energy, **short)
    truth = read_truth(folder / "power.truth")
    for slot in of_type(folder.parent, "slot"):
        exact_j = truth.joules_between(slot["start_s"], slot["end_s"])
        total_j, bound_j = slot["joules"]["total_j"], slot["joules"]["bound_j"]
        assert total_j == pytest.approx(float(exact_j.sum()), rel=0.01)
        assert abs(total_j - float(exact_j.sum())) <= bound_j
        assert slot["joules"]["kind"] == "simulated"


def test_json_output_is_json_lines_only(tmp_path: Path) -> None:
    write_suite(tmp_path, **QUICK)
    done = quick("run", "suite.toml", "--json", cwd=tmp_path)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events if e["event"] == "slot_done"] == ["slot_done"] * 6
    assert events[-1]["event"] == "result"
    assert {row["kind"] for row in events[-1]["rows"]} == {"modelled"}


def test_a_dry_run_shows_the_order_and_leaves_nothing(tmp_path: Path) -> None:
    write_suite(tmp_path)
    done = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    assert "3 configurations, 1 block, 6 windows" in done.stdout
    assert "model small: echo, float32, first 2 layers" in done.stdout
    plan = json.loads(bench("run", "suite.toml", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert (plan["windows"], len(plan["blocks"]), plan["models"]["small"]["layers"]) == (6, 1, 2)
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("no_figures")
def test_killing_the_conductor_loses_no_record_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    energy = {"source": "simulated", "interval_ms": 20}
    write_suite(tmp_path, protocol__blocks=3, energy=energy, protocol__min_window_s=0.3)
    out = tmp_path / "results"
    process = start("run", "suite.toml", cwd=tmp_path)
    wait_for(lambda: of_type(out, "block") and len(of_type(out, "slot")) >= 8)
    children = children_of(process)
    assert len(children) >= 2  # the worker and the stand-in
    second = bench("run", "--resume", str(run_folder(out)), cwd=tmp_path)
    assert second.returncode == 2
    assert f"is being written by process {process.pid}" in second.stderr
    process.kill()
    process.communicate()
    wait_for(lambda: are_gone(children))
    before = records(out)
    done = bench("run", "--resume", str(run_folder(out)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = records(out)
    assert after[: len(before)] == before
    assert sorted(b["block"] for b in after if b["type"] == "block") == [1, 2, 3]
    again = [s["block"] for s in after[len(before) :] if s["type"] == "slot"]
    assert 1 not in again
    rows = summarise(read_back(store.read(run_folder(out)))).rows
    assert all(row.windows == 6 and row.gross_per_repeat_j is not None for row in rows)


def test_a_complete_run_has_nothing_to_resume(echo_run: Path, tmp_path: Path) -> None:
    done = bench("run", "--resume", str(copied(echo_run, tmp_path)), cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing to resume" in done.stderr


def test_a_run_that_fails_before_its_first_record_deletes_nothing_of_others(
    echo_run: Path, tmp_path: Path
) -> None:
    old = copied(echo_run, tmp_path)
    (tmp_path / "mine").mkdir()
    write_suite(tmp_path, models__full__layers=99)  # told by the worker, once the folder is made
    before = sorted(tmp_path.rglob("*"))
    for out in (old, old.parent, tmp_path / "mine", tmp_path / "new"):
        done = quick("run", "suite.toml", "--out", str(out), cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert sorted(tmp_path.rglob("*")) == before


def test_a_run_goes_on_with_the_prompts_that_it_keeps_and_never_with_others(tmp_path: Path) -> None:
    folder = run_suite(tmp_path)
    more = ("run", "--resume", str(folder), "--blocks", "2")
    (tmp_path / "prompts.jsonl").write_text('{"id": "other", "text": "something else"}\n')
    kept = folder / "prompts.jsonl"
    kept.rename(tmp_path / "kept")  # as an older version left the folder
    done = quick(*more, cwd=tmp_path)
    assert done.returncode == 2
    assert "has changed" in done.stderr
    kept.write_text('{"id": "other", "text": "something else"}\n')
    done = quick(*more, cwd=tmp_path)
    assert done.returncode == 2
    assert "holds other prompts" in done.stderr
    (tmp_path / "kept").replace(kept)
    (tmp_path / "prompts.jsonl").unlink()
    done = quick(*more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_models_on_the_command_line_are_run_and_a_suite_that_does_the_same_is_written(tmp_path: Path) -> None:
    (tmp_path / "my.txt").write_text("What is red?\nWhy?\n")
    asked = ["echo", "--prompts", "my.txt", "--tg", "4"]
    done = bench("run", *asked, "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["configurations"] == ["echo echo", "echo echo (A/A)"]
    assert plan["prompts"] == 2
    assert bench("run", *asked, "--save-suite", "same.toml", cwd=tmp_path).returncode == 0
    same = bench("run", "same.toml", "--dry-run", "--json", cwd=tmp_path)
    assert json.loads(same.stdout) == plan
    again = bench("run", *asked, "--save-suite", "same.toml", cwd=tmp_path)
    assert (again.returncode, "not overwritten" in again.stderr) == (2, True)


@pytest.fixture
def signalled(
    monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> Callable[[signal.Signals], list[psutil.Process]]:
    """Sends a worker a signal while its second window is open; the processes that got it."""

    def send(what: signal.Signals) -> list[psutil.Process]:
        windows, hit = iter(range(100)), []

        def opens(self: PlainDisplay) -> None:
            if next(windows) == 1:
                hit.extend(
                    p for p in psutil.Process().children() if "bench.run.workers.worker" in p.cmdline()
                )
                hit[0].send_signal(what)

        monkeypatch.setattr(PlainDisplay, "window_opens", opens)
        return hit

    return send


def test_a_worker_that_is_killed_voids_its_slot_and_the_run_completes(
    tmp_path: Path, signalled: Callable[[signal.Signals], list[psutil.Process]]
) -> None:
    write_suite(tmp_path)
    hit = signalled(signal.SIGKILL)
    assert bench("run", "suite.toml", cwd=tmp_path).returncode == 0
    assert len(hit) == 1
    out = tmp_path / "results"
    slots = of_type(out, "slot")
    void = [slot for slot in slots if slot["error"]]
    assert len(slots) == 6
    assert len(void) == 1
    assert "signal 9" in void[0]["error"]
    assert void[0]["joules"] is None
    assert any(request["error"] for request in of_type(out, "request"))
    assert "window void" in [event["kind"] for event in of_type(out, "event")]
    summary = summarise(read_back(store.read(run_folder(out))))
    assert sum(row.void_windows for row in summary.rows) == 1
    assert any("signal 9" in warning for warning in summary.warnings)


def test_a_worker_that_hangs_is_replaced_after_the_deadline(
    tmp_path: Path, signalled: Callable[[signal.Signals], list[psutil.Process]]
) -> None:
    write_suite(tmp_path, protocol__request_deadline_s=5.0)
    hit = signalled(signal.SIGSTOP)
    assert bench("run", "suite.toml", cwd=tmp_path).returncode == 0
    void = [slot for slot in of_type(tmp_path / "results", "slot") if slot["error"]]
    assert len(void) == 1
    assert "no answer" in void[0]["error"]
    assert len(hit) == 1
    assert are_gone(hit)


@pytest.mark.usefixtures("no_figures")
def test_ctrl_c_keeps_what_is_measured_and_leaves_no_child(tmp_path: Path) -> None:
    write_suite(
        tmp_path,
        protocol__blocks=9,  # most of it is still to come when the first slot is stored
        energy={"source": "simulated", "interval_ms": 20},
    )
    out = tmp_path / "results"
    process = start("run", "suite.toml", cwd=tmp_path)
    wait_for(lambda: of_type(out, "slot"))
    children = children_of(process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "--resume" in said
    assert "Traceback" not in said
    assert are_gone(children)
    assert of_type(out, "event")[-1]["kind"] == "interrupted"
    shown = bench("report", str(run_folder(out)), cwd=tmp_path)
    assert shown.returncode == 0
    assert "No block is whole, so nothing is compared." in " ".join(shown.stdout.split())


@pytest.mark.usefixtures("no_figures")
def test_an_external_meter_leads_where_its_samples_fit_the_run(tmp_path: Path) -> None:
    """It sees what the machine's own meter saw and 200 W more; its clock stands elsewhere."""
    folder = run_suite(tmp_path, protocol__min_window_s=1.5, protocol__a_a=False)
    own = read_back(store.read(folder)).sources[1].lead.trace
    joules = np.concatenate([[0.0], np.cumsum(own.joules.sum(axis=1))])
    edges_s = np.arange(own.start_s[0] - 3.0, own.end_s[-1] + 3.0, 0.1)
    watts = np.diff(np.interp(edges_s, np.append(own.start_s[0], own.end_s), joules)) / 0.1
    rows = [f"{end_s + 1000:.3f},{w + 200.0:.4f}" for end_s, w in zip(edges_s[1:], watts, strict=True)]
    (tmp_path / "wall.csv").write_text("time,W\n" + "\n".join(rows) + "\n")
    done = bench("report", str(folder), "--wall", "wall.csv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["rows"]
    own = json.loads(bench("report", str(folder), "--json", cwd=tmp_path).stdout)["rows"]
    assert {(row["boundary"], row["kind"]) for row in found} == {("wall", "measured")}
    assert {(row["boundary"], row["kind"]) for row in own} == {("modelled", "modelled")}
    for wall, chip in zip(found, own, strict=True):
        beside_j = wall["gross_per_repeat_j"] - chip["gross_per_repeat_j"]  # up to the edges' doubt
        doubt_j = wall["bound_per_repeat_j"] + chip["bound_per_repeat_j"]
        assert 2 * doubt_j < 200 * chip["seconds_per_repeat_s"]
        assert beside_j == pytest.approx(200 * chip["seconds_per_repeat_s"], abs=doubt_j)


def test_a_wall_meter_that_does_not_fit_is_refused(echo_run: Path, tmp_path: Path) -> None:
    folder = copied(echo_run, tmp_path)
    lines = "".join(f"{second},{7.0}\n" for second in range(100))
    (tmp_path / "wall.csv").write_text("time,W\n" + lines)
    done = bench("report", str(folder), "--wall", "wall.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "fits with a correlation of" in done.stderr
