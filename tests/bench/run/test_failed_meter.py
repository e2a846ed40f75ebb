"""A meter that fails its self-test: the run stops; in a run that went on no total and no verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import NoJoules
from bench.report.readback import read_back
from bench.report.summary import Summary, summarise
from bench.run import start, store, workloads
from bench.run.display.plain import Display
from bench.run.meter import Meter
from bench.run.sources import ChosenMeter
from energy import selftest
from energy.base import SourceInfo
from energy.polled import Counters, PolledSource
from tests.bench.processes import of_type
from tests.bench.suites import write_suite

RAILS = ("cpu", "gpu", "ane")
NOTHING = ("sleep", "60")


def meter_of(counters: Callable[[], Counters]) -> ChosenMeter:
    """A made-up meter of this machine that claims to measure."""
    info = SourceInfo(
        name="deaf",
        kind="measured",
        rails=RAILS,
        boundary="soc_cpu_gpu_ane",
        interval_s=0.01,
        resolution_j=0.0,
    )
    return ChosenMeter(source=PolledSource(info, counters), note="made up")


def eight_watts() -> Counters:
    """Whatever the machine does."""
    return {"cpu": 6.0 * time.perf_counter(), "gpu": 2.0 * time.perf_counter(), "ane": 0.0}


def nothing_at_all() -> Counters:
    """What documents without any rail amount to."""
    return dict.fromkeys(RAILS)


def no_cpu() -> Counters:
    """The CPU's counter stands still, whatever runs."""
    return {"cpu": 0.0, "gpu": 2.0 * time.perf_counter(), "ane": 0.0}


def run_with(counters: Callable[[], Counters], home: Path, patch: pytest.MonkeyPatch) -> Path:
    """Five blocks, run in this process with such a meter, whose joules no load would change."""
    patch.setattr(selftest, "SETTLE_S", 0.05)
    patch.setattr(workloads, "commands", lambda *_: {"cpu spin": NOTHING, "memory stream": NOTHING})
    lengths = {"protocol__blocks": 5, "protocol__self_test_s": 0.2, "protocol__min_window_s": 0.12}
    file = write_suite(home, **lengths, protocol__a_a=False)
    prepared, header = start.prepared(str(file), energy=None, backends=None, blocks=None)
    meter, out = meter_of(counters), home / "results"
    return start.run_or_resume(prepared, header, meter, out=out, resume_from=None, display=Display())


@pytest.mark.parametrize("counters", [eight_watts, nothing_at_all, no_cpu])
def test_a_run_that_can_never_have_joules_stops_and_leaves_nothing(
    counters: Callable[[], Counters], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoJoules, match="no window of this run can have joules") as caught:
        run_with(counters, tmp_path, monkeypatch)
    assert "cpu" in caught.value.what
    assert "--energy modelled" in str(caught.value.fix)
    assert not (tmp_path / "results").exists()


@pytest.fixture(scope="module", params=[eight_watts, nothing_at_all])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went on all the same, as an older version's did."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Meter, "check_measures", lambda self: None)
        return run_with(request.param, tmp_path_factory.mktemp("run"), patch)


@pytest.fixture
def summary(folder: Path) -> Summary:
    return summarise(read_back(store.read(folder)))


def test_no_slot_of_it_has_a_total_as_stored_and_as_read_back(folder: Path) -> None:
    (test,) = of_type(folder.parent, "self_test")
    assert test["outcome"] == "failed"
    stored = [slot["joules"] for slot in of_type(folder.parent, "slot")]
    assert len(stored) == 5 * 4
    assert {(joules["total_j"], joules["rails_j"].get("cpu")) for joules in stored} == {(None, None)}
    for slot in read_back(store.read(folder)).slots:
        assert slot.gross_j is None
        assert slot.grade == 1
        assert "self-test failed" in slot.record.joules.grade_reasons


def test_no_arm_has_joules_or_a_verdict(summary: Summary) -> None:
    assert {row.gross_per_repeat_j for row in summary.rows} == {None}
    assert {row.joules_saved_percent for row in summary.rows} == {None}
    assert not {row.verdict for row in summary.rows} & {"saves", "costs", "equivalent", "inconclusive"}


def test_the_failed_self_test_is_the_first_thing_that_is_said(summary: Summary) -> None:
    assert summary.warnings[0].startswith("the self-test of the meter failed, so joules of cpu")
