"""What the chart is given: nothing is lost but what can't be seen, and what was not measured stays so."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.report.page.power_data import MOST_BINS, UNKNOWN, Bins, power_data, power_of, thinned
from bench.report.story import Story
from bench.run.joules import Readings
from energy.base import SourceInfo, Trace

INFO = SourceInfo(
    name="x", kind="simulated", rails=("cpu", "gpu"), boundary="package", interval_s=0.1, resolution_j=0.0
)


def readings(start_s: list[float], end_s: list[float], joules: list[list[float]]) -> Readings:
    arrays = (np.array(start_s), np.array(end_s), np.array(joules))
    return Readings(Trace(("cpu", "gpu"), *arrays, alignment_s=0.0), INFO)


def decoded(data: dict[str, Any], name: str, kind: str = "<u2") -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(data[name]), dtype=kind)


def test_power_is_the_sum_of_the_rails() -> None:
    bins = power_of(readings([0, 0.1], [0.1, 0.2], [[1, 0.5], [2, 0]]))
    np.testing.assert_allclose(bins.mean_w, [15, 20])


def test_a_hole_between_readings_is_unknown_and_a_missing_rail_too() -> None:
    bins = power_of(readings([0, 0.5], [0.1, 0.6], [[1, 0], [2, np.nan]]))
    np.testing.assert_allclose(bins.start_s, [0, 0.1, 0.5])
    assert list(np.isnan(bins.mean_w)) == [False, True, True]


def test_thinning_keeps_peaks_and_energy_and_holes() -> None:
    power_w = np.random.default_rng(1).uniform(1, 20, 1000)
    power_w[500] = np.nan
    bins = Bins(start_s=np.arange(1000.0), low_w=power_w, mean_w=power_w, high_w=power_w, end_s=1000.0)
    thin = thinned(bins, most=100)
    assert len(thin.start_s) == 100
    assert np.nanmax(thin.high_w) == np.nanmax(np.delete(power_w, range(500, 510)))
    assert list(np.flatnonzero(np.isnan(thin.mean_w))) == [50]
    widths_s = np.diff(thin.start_s, append=thin.end_s)
    assert np.nansum(thin.mean_w * widths_s) == pytest.approx(np.nansum(np.delete(power_w, range(500, 510))))


def test_a_run_becomes_a_curve_with_its_slots_idle_and_phases(echo_run: Path) -> None:
    story = Story.of(echo_run)
    data = power_data(story.readback)
    assert data is not None
    assert data["label"] == "modelled, NOT a measurement"
    assert [arm["label"] for arm in data["arms"]] == ["echo", "echo (A/A)", "echo length"]
    assert len(data["slots"]) == len(story.readback.slots) == 6
    assert len(data["idle"]) == 2
    assert all(0 <= start_s < end_s <= data["end_s"] for start_s, end_s, *_ in data["slots"])
    requests = sum(len(slot.answers) for slot in story.readback.slots)
    assert len(decoded(data["phases"], "start", "<f4")) == requests
    trace = story.readback.sources[1].lead.trace
    mean = decoded(data, "mean")
    known = mean[mean != UNKNOWN]
    start_s = decoded(data, "start", "<f4")
    energy_j = float((np.diff(start_s) * mean[:-1])[mean[:-1] != UNKNOWN].sum()) * data["scale_w"] / 65534
    assert energy_j == pytest.approx(float(trace.joules.sum()), rel=0.01)
    assert known.max() <= 65534


def test_sessions_lie_side_by_side_with_a_gap_that_is_unknown(long_run: Path) -> None:
    data = power_data(Story.of(long_run).readback)
    assert data is not None
    first_s, second_s = data["starts_s"]
    start_s, mean = decoded(data, "start", "<f4"), decoded(data, "mean")
    assert first_s == 0
    assert mean[int(np.argmin(np.abs(start_s - second_s))) - 1] == UNKNOWN
    assert mean[-1] == UNKNOWN
    assert len(start_s) <= MOST_BINS + 2
    assert np.all(np.diff(start_s) > 0)
    assert np.all(decoded(data, "low") <= decoded(data, "high"))
