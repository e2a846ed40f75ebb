from pathlib import Path

import numpy as np
import pytest

from benchmarks.known_power import columns, noisy, on_rails, ramped, simulate, slots
from energy.attribute import attribute
from energy.base import EnergyError, SourceUnavailable, Trace
from energy.timeline import stream_trace
from energy.wall import fit_wall
from energy.wall_file import WallMeter, read_wall

LAG_S = 3607.3


@pytest.fixture(scope="module")
def run():
    """A run of two minutes with a calibration pulse; a wall meter samples before, during and after it."""
    chance = np.random.default_rng(8)
    watts, _ = slots(150.0, chance)
    watts[:20_000], watts[20_000:30_000], watts[30_000:35_000] = 3.0, 30.0, 3.0
    power = on_rails(noisy(ramped(watts, 0.01), chance))
    whole = stream_trace(columns(simulate(power, chance)))
    during = (whole.start_s > power.start_s + 15) & (whole.end_s < power.start_s + 135)
    own = Trace(
        whole.rails, whole.start_s[during], whole.end_s[during], whole.joules[during], whole.alignment_s
    )
    time_s = np.arange(power.start_s, power.end_s, 1.0)
    wall_j = power.joules_until(time_s).sum(axis=1)
    wall_w = 12.0 + 1.3 * np.diff(wall_j) + chance.normal(0, 0.2, len(time_s) - 1)
    return power, own, WallMeter(time_s[1:] + LAG_S, wall_w)


def test_the_lag_of_the_meters_clock_is_found(run):
    power, trace, meter = run
    fit = fit_wall(meter, trace)
    assert fit.lag_s == pytest.approx(LAG_S, abs=0.1)
    assert fit.correlation > 0.9
    assert fit.info.boundary == "wall"
    assert fit.info.details["lag_s"] == f"{fit.lag_s:.2f}"
    window = np.array([[power.start_s + 41.3, power.start_s + 121.8]])
    joules, bound = attribute(
        fit.trace.start_s, fit.trace.end_s, fit.trace.joules, window, alignment_s=fit.trace.alignment_s
    )
    truth = 12.0 * 80.5 + 1.3 * power.joules_in(window).sum()
    assert abs(joules[0, 0] - truth) <= bound[0, 0] + 3.0
    assert joules[0, 0] == pytest.approx(truth, rel=0.01)


def test_a_calibration_pulse_is_enough(run):
    power, trace, meter = run
    fit = fit_wall(meter, trace, pulse=(power.start_s + 16.0, power.start_s + 34.0))
    assert fit.lag_s == pytest.approx(LAG_S, abs=0.3)


def test_another_machines_meter_is_refused(run):
    _, trace, meter = run
    noise = WallMeter(meter.time_s, np.random.default_rng(1).uniform(10, 40, len(meter.watts)))
    with pytest.raises(EnergyError, match="correlation"):
        fit_wall(noise, trace)


def test_a_meter_that_covers_less_than_the_run_is_refused(run):
    _, trace, meter = run
    with pytest.raises(EnergyError, match="covers"):
        fit_wall(WallMeter(meter.time_s[:40], meter.watts[:40]), trace)


def csv(path: Path, rows: list[str]) -> Path:
    path.write_text("time,W\n" + "\n".join(rows) + "\n")
    return path


def test_times_may_be_seconds_or_iso(tmp_path: Path):
    seconds = read_wall(csv(tmp_path / "a.csv", [f"{1000 + n},12.5" for n in range(20)]))
    assert seconds.time_s[0] == 1000
    iso = read_wall(csv(tmp_path / "b.csv", [f"2026-01-01T00:00:{n:02}Z,12.5" for n in range(20)]))
    assert iso.time_s[0] == 1767225600
    np.testing.assert_array_equal(iso.watts, 12.5)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["1,2", "3"], "line 3"),
        (["1,2", "x,4"], "line 3"),
        (["1,2", "2,3"], "20 samples"),
        ([f"{100 - n},1" for n in range(30)], "ascending"),
        ([f"{n},{'nan' if n == 4 else 1}" for n in range(30)], "finite"),
    ],
)
def test_files_that_are_no_samples_are_refused_by_line(tmp_path: Path, rows: list[str], reason: str):
    with pytest.raises(SourceUnavailable, match=reason):
        read_wall(csv(tmp_path / "bad.csv", rows))


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(SourceUnavailable, match="can't be read"):
        read_wall(tmp_path / "none.csv")
