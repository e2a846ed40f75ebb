"""What an execution answers, from windows whose joules are known, and how it is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console

from analysis.values import NOT_ESTIMATED
from bench.report.execution import answer_of
from bench.report.execution_tables import cautions, sentence, show, to_json
from bench.run.child import ChildRun
from bench.run.execution import BASELINE, COMMAND, COPY, CommandWindow, ExecAsked, Execution
from bench.run.observed import Joules
from bench.suite.plan import Arm, make_blocks
from energy.base import SourceInfo
from energy.idle import judge_idle

SOURCE = SourceInfo(
    name="made up",
    kind="simulated",
    rails=("cpu",),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
)


def joules(total_j: float | None, **other: object) -> Joules:
    found = Joules(
        total_j=total_j,
        bound_j=None if total_j is None else 0.1,
        rails_j={"cpu": total_j},
        readings=50,
        kind="simulated",
        boundary="soc_cpu_gpu_ane",
        grade=0,
        grade_name="simulated",
        grade_reasons=["not a measurement"],
        withheld="a hole" if total_j is None else None,
    )
    return replace(found, **other)


def window(
    total_j: float | None, *, arm: str = COMMAND, block: int = 1, position: int = 1, runs: int = 1
) -> CommandWindow:
    each = tuple(ChildRun(start_s=float(n), end_s=n + 1.0, exit_code=0, cpu_s=0.5) for n in range(runs))
    return CommandWindow(
        block=block,
        position=position,
        arm=arm,
        start_s=0.0,
        end_s=float(runs),
        runs=each,
        joules=joules(total_j),
    )


def execution(*windows: CommandWindow, baseline: bool = False) -> Execution:
    return Execution(
        asked=ExecAsked(argv=("new", "it's"), baseline=("old",) if baseline else None),
        source=SOURCE,
        note="made up here",
        reading_s=0.1,
        idle=judge_idle([2.0, 2.0]),
        idle_w=(2.0, 2.0),
        windows=windows,
        left_running=(),
        exit_code=0,
        ended_early=None,
    )


def against_baseline(*, costs: float) -> Execution:
    """Five blocks in which the command takes so many times the joules of the baseline."""
    arms = [Arm(backend=name, gate="") for name in (BASELINE, COMMAND, COPY)]
    windows, wobble = [], iter([0.0, 0.01, 0.02, 0.005, 0.015, 0.012] * 5)
    for planned in make_blocks(arms, count=5, seed=0):
        for slot in planned:
            total_j = 10.0 * (1 + next(wobble)) * (costs if slot.arm.backend == COMMAND else 1.0)
            held = window(total_j, arm=slot.arm.backend, block=slot.block, position=slot.position)
            windows.append(held)
    return execution(*windows, baseline=True)


def shown(found: Execution) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        show(answer_of(found), console)
    return capture.get()


def test_one_run_has_its_joules_and_no_interval() -> None:
    (row,) = answer_of(execution(window(5.0))).rows
    assert row.joules is not None
    assert (row.joules.point, row.joules.interval) == (pytest.approx(5.0), None)
    assert row.net is not None
    assert row.net.point == pytest.approx(3.0)
    assert (row.bound_j, row.mean_w, row.cpu_s) == (0.1, pytest.approx(5.0), 0.5)


def test_runs_that_share_a_window_share_its_joules_and_its_bound() -> None:
    windows = [window(total_j, block=n, runs=4) for n, total_j in enumerate((20.0, 21.0, 22.0))]
    (row,) = answer_of(execution(*windows)).rows
    assert (row.runs, row.windows) == (12, 3)
    assert row.joules is not None
    assert row.joules.point == pytest.approx(5.25, rel=0.01)
    assert row.joules.interval is not None
    assert row.joules.interval.low < 5.25 < row.joules.interval.high
    assert row.bound_j == pytest.approx(0.025)


def test_without_joules_the_reason_is_said_with_what_to_type() -> None:
    text = shown(replace(execution(window(None)), reading_s=0.2))
    assert "new 'it'\"'\"'s': no joules, a hole, with --repeat 3 or more" in text


@pytest.mark.parametrize(("costs", "verdict", "words"), [(0.5, "saves", "less"), (2.0, "costs", "more")])
def test_the_verdict_is_that_of_every_other_comparison(costs: float, verdict: str, words: str) -> None:
    answer = answer_of(against_baseline(costs=costs))
    assert answer.judgement is not None
    assert answer.judgement.verdict == verdict
    assert answer.judgement.point == pytest.approx(costs, rel=0.02)
    said = sentence(answer)
    assert f" {words} joules (saves " in said
    assert f", as simulated: {verdict}; " in said
    text = shown(against_baseline(costs=costs))
    assert "Noise of this machine (A/A, 95 %): " in text
    assert NOT_ESTIMATED not in text
    assert answer.rows[1].windows == 20


def test_blocks_that_were_cut_short_say_so() -> None:
    found = execution(window(5.0), window(6.0, arm=BASELINE, position=2), baseline=True)
    answer = answer_of(found)
    assert answer.judgement is not None
    assert answer.judgement.verdict in ("not enough blocks", NOT_ESTIMATED)
    assert sentence(answer).startswith("Against the baseline")


def test_what_could_turn_the_figures_round_is_named() -> None:
    hot = replace(window(5.0), joules=joules(5.0, thermal="Heavy"))
    found = replace(execution(hot), left_running=("12 daemon",), ended_early="ended by Ctrl-C")
    assert [line.partition(":")[0] for line in cautions(found)] == [
        "ended by Ctrl-C",
        "thermal pressure was Heavy",
        "left running, its joules after the command's end are not counted",
    ]
    assert cautions(execution(replace(window(5.0), joules=joules(5.0, thermal="Nominal")))) == []


def test_everything_is_there_for_programs() -> None:
    found = json.loads(json.dumps(to_json(answer_of(against_baseline(costs=0.5)))))
    assert found["schema"] == 1
    assert [row["command"] for row in found["results"]] == ["new 'it'\"'\"'s'", "old"]
    assert found["comparison"]["verdict"] == "saves"
    assert found["comparison"]["interval"]["high"] < 0.98
    assert len(found["windows"]) == 30
