"""What is wrong with a wall meter's samples is found at each of a hundred places, and voids its windows."""

from dataclasses import replace

import numpy as np
import pytest

from energy.attribute import attribute
from energy.base import EnergyError, Trace
from energy.wall import WallFit, fit_wall
from energy.wall_file import WallMeter

LAG_S = 3600.0
LASTS_S = 600.0
PLACES = 100


def seen(whole: Trace) -> Trace:
    """What the machine's own meter saw: it runs for a shorter time than the wall meter."""
    rows = (whole.start_s > 20) & (whole.end_s < LASTS_S - 20)
    return replace(whole, start_s=whole.start_s[rows], end_s=whole.end_s[rows], joules=whole.joules[rows])


def chip(chance: np.random.Generator) -> Trace:
    """Ten minutes of a chip: slots of work of many lengths with idle between, ten readings a second."""
    end_s = np.arange(1, int(LASTS_S * 10) + 1) * 0.1
    watts = np.full(len(end_s), 3.0)
    at = 0
    while at < len(watts):
        begin = at + int(chance.integers(30, 90))
        at = begin + int(chance.integers(60, 250))
        watts[begin:at] = chance.uniform(15, 35)
    watts = watts + chance.normal(0, 0.2, len(watts))
    joules = np.column_stack([0.2 * watts, 0.8 * watts]) * 0.1
    return Trace(("cpu", "gpu"), end_s - 0.1, end_s, joules, 0.002)


def samples(own: Trace, chance: np.random.Generator) -> WallMeter:
    """The wall beside it, once a second: twelve watts more, and losses."""
    time_s = np.arange(0.0, LASTS_S + 0.01)
    joules, _ = attribute(own.start_s, own.end_s, own.joules, np.column_stack([time_s[:-1], time_s[1:]]))
    watts = 12.0 + 1.3 * joules.sum(axis=1) + chance.normal(0, 0.1, len(time_s) - 1)
    return WallMeter(time_s[1:] + LAG_S, np.round(watts, 2))


def dropped(meter: WallMeter, row: int) -> WallMeter:
    kept = np.r_[0:row, row + 60 : len(meter.time_s)]
    return WallMeter(meter.time_s[kept], meter.watts[kept])


def held(meter: WallMeter, row: int) -> WallMeter:
    watts = meter.watts.copy()
    watts[row : row + 110] = watts[row]
    return WallMeter(meter.time_s, watts)


def offline(meter: WallMeter, row: int) -> WallMeter:
    watts = meter.watts.copy()
    watts[row : row + 60] = 0.0
    return WallMeter(meter.time_s, watts)


def charging(meter: WallMeter, row: int) -> WallMeter:
    watts = meter.watts.copy()
    watts[row : row + 90] += 30.0
    return WallMeter(meter.time_s, watts)


def doubt(fit: WallFit, kind: str, window: tuple[float, float]) -> bool:
    """The fault is named within the window, and the window has no joules."""
    named = any(f.kind == kind and f.start_s < window[1] and f.end_s > window[0] for f in fit.trace.faults)
    joules, _ = attribute(fit.trace.start_s, fit.trace.end_s, fit.trace.joules, np.array([window]))
    return named and bool(np.isnan(joules).all())


@pytest.mark.parametrize(
    ("change", "kind", "lasts_s"),
    [(dropped, "gap", 60), (held, "stuck", 110), (offline, "zero", 60), (charging, "other load", 90)],
)
def test_it_is_found_wherever_it_happens(change, kind: str, lasts_s: int):
    found = 0
    for seed in range(PLACES):
        chance = np.random.default_rng([seed, 7])
        own = chip(chance)
        row = int(chance.integers(60, 430))
        fit = fit_wall(change(samples(own, chance), row), seen(own))
        found += doubt(fit, kind, (row + 5.0, row + lasts_s - 5.0))
    assert found == PLACES


def test_samples_that_are_right_have_no_fault():
    for seed in range(30):
        chance = np.random.default_rng([seed, 9])
        own = chip(chance)
        fit = fit_wall(samples(own, chance), seen(own))
        assert fit.trace.faults == ()
        assert not np.isnan(fit.trace.joules).any()


def test_a_run_of_seconds_may_be_shorter_than_what_is_averaged_over():
    own = chip(np.random.default_rng(0))
    own = replace(own, start_s=own.start_s[:80], end_s=own.end_s[:80], joules=own.joules[:80])
    watts = own.joules.sum(axis=1) / 0.1 + 12
    fit = fit_wall(WallMeter(own.end_s + LAG_S, watts), replace(own, end_s=own.end_s - 0.001))
    assert not np.isnan(fit.trace.joules).any()


@pytest.mark.parametrize(
    ("factor", "said"), [(0.001, "can't draw less"), (1000.0, "is the most"), (1 / 230, "less")]
)
def test_figures_that_are_no_watts_are_refused(factor: float, said: str):
    """kW and mW where W was said, amps read as watts."""
    for seed in range(PLACES):
        chance = np.random.default_rng([seed, 11])
        own = chip(chance)
        meter = samples(own, chance)
        with pytest.raises(EnergyError, match=said):
            fit_wall(WallMeter(meter.time_s, meter.watts * factor), seen(own))


def test_a_resting_machine_may_show_one_figure_for_long():
    chance = np.random.default_rng(4)
    own = chip(chance)
    own.joules[2000:3000] = [0.06, 0.24]
    meter = samples(own, chance)
    meter.watts[200:299] = np.round(12.0 + 1.3 * 3.0, 1)
    assert fit_wall(meter, seen(own)).trace.faults == ()
