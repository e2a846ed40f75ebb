"""What verdicts promise, on simulated runs of real plans; `benchmarks/coverage.py` has the figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.contrast import Held, judge_together
from analysis.rows import Slot
from analysis.sizing import Noise, blocks_to_tell
from analysis.statistical_power import POWER
from analysis.verdict import THRESHOLD
from benchmarks.coverage import contrasts, held, saves, verdicts
from benchmarks.draws import AGAIN, UNGATED, Setting, log_joules, table_of
from tests.analysis.slots import PLAIN

EIGHT = Setting(name="eight gates", gates=8, blocks=6)


def slots_of(setting: Setting, logs: np.ndarray) -> list[Slot]:
    return [
        replace(PLAIN, block=block, position=position, arm=arm, gross_j=float(np.exp(logs[position, block])))
        for block in range(setting.blocks)
        for position, arm in enumerate(setting.arms)
    ]


def test_the_simulation_is_judged_as_a_report_judges_slots() -> None:
    (logs,) = log_joules(EIGHT, experiments=1, seed=3)
    mine = contrasts(EIGHT, table_of(EIGHT, logs, savings=8 * [0.0]))
    slots = slots_of(EIGHT, logs)
    plain = Held(slots=slots, arm=UNGATED, plain=UNGATED, again=AGAIN)
    theirs = judge_together({gate: (replace(plain, arm=gate), plain) for gate in mine})
    assert verdicts(mine) == [theirs[gate].verdict for gate in mine]
    for gate, one in mine.items():
        assert one.p_beyond == pytest.approx(theirs[gate].p)
        assert one.effect.interval is not None
        assert one.effect.interval.low == pytest.approx(getattr(theirs[gate].ratio, "low", None))


def coverage(setting: Setting, experiments: int) -> float:
    """Share of intervals that hold the truth."""
    runs = log_joules(setting, experiments=experiments, seed=1)
    return float(np.mean([held(setting, run) for run in runs], axis=(0, 1))[0])


def test_eight_gates_together_seldom_have_one_false_saving() -> None:
    runs = log_joules(EIGHT, experiments=300, seed=1)
    assert np.mean([any(saves(EIGHT, run, 8 * [THRESHOLD])) for run in runs]) <= 0.05


def test_pooled_runs_that_differ_keep_their_coverage() -> None:
    pooled = Setting(name="pooled", runs=5, blocks=25)
    assert coverage(pooled, 800) == pytest.approx(0.95, abs=0.02)


def test_noise_that_moves_from_slot_to_slot_cancels_in_a_block() -> None:
    slow = Setting(name="slots", disturbance="slots", rho=0.9, blocks=8)
    assert coverage(slow, 800) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("gates", "noise"), [(1, 0.02), (4, 0.02)])
def test_as_many_blocks_as_promised_are_enough_and_a_sixth_fewer_are_not(gates: int, noise: float) -> None:
    promised = blocks_to_tell(0.04, Noise(seen=noise, planned=noise, blocks=None), asked=gates)
    assert promised is not None
    shares = []
    for blocks in (promised, round(promised * 0.84)):
        setting = Setting(name="size", gates=gates, blocks=blocks, noise=noise)
        runs = log_joules(setting, experiments=800, seed=1)
        savings = [0.04, *(gates - 1) * [0.0]]
        shares.append(np.mean([saves(setting, run, savings)[0] is not None for run in runs]))
    assert shares[0] >= POWER - 0.02
    assert shares[1] < POWER
