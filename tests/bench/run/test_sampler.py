"""What windows come to by name, and how many can be open in how much memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bench.run import sampler
from bench.run.sampler import FROM_CPU_TIME, Sampler, chosen, joined
from bench.suite import plugins


@pytest.fixture(scope="module")
def running() -> Iterator[Sampler]:
    made = Sampler("modelled", {"interval_ms": 10}, self_test=False)
    yield made
    made.stop()


def test_windows_that_touch_are_one_and_others_are_not() -> None:
    windows = np.array([[0, 1], [1, 2], [2.00005, 3], [3.5, 4], [4, 4.001], [4.00105, 4.002]])
    assert joined(windows).tolist() == [[0, 3], [3.5, 4.001], [4.00105, 4.002]]


def test_short_windows_in_a_row_have_the_joules_of_the_whole(running: Sampler) -> None:
    edges_s = [time.perf_counter()]
    for _ in range(20):
        time.sleep(0.015)
        edges_s.append(time.perf_counter())
    for start_s, end_s in itertools.pairwise(edges_s):
        running.add("step", start_s, end_s)
    whole = running.joules(edges_s[0], edges_s[-1])
    total = running.totals()["step"]
    assert total.count == 20
    assert total.joules == pytest.approx(whole.total_j)
    assert total.bound == pytest.approx(whole.bound_j, rel=0.5)  # not that of each window


def test_nothing_is_said_of_windows_too_short_for_the_meter(running: Sampler) -> None:
    for _ in range(20):
        start_s = time.perf_counter()
        time.sleep(0.001)
        running.add("apart", start_s, time.perf_counter())
        time.sleep(0.001)
    running.add("before all readings", 1.0, 2.0)
    totals = running.totals()
    assert totals["apart"].joules is totals["apart"].watts is None or totals["apart"].bound is not None
    assert totals["before all readings"].joules is None
    assert totals["before all readings"].not_estimated == (
        "1 of 1 windows have no readings, or a fault touches them"
    )


def test_windows_are_added_up_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "PENDING", 8)
    made = Sampler("modelled", {"interval_ms": 10}, self_test=False)
    try:
        began_s = last_s = time.perf_counter()
        for _ in range(50):
            time.sleep(0.005)
            now_s = time.perf_counter()
            made.add("one" if now_s - began_s < 0.1 else "other", last_s, now_s)
            last_s = now_s
        totals = made.totals()
        assert sum(total.count for total in totals.values()) == 50
        assert sum(total.seconds for total in totals.values()) == pytest.approx(last_s - began_s)
        joules = sum(total.joules or 0.0 for total in totals.values())
        assert joules == pytest.approx(made.joules(began_s, last_s).total_j, rel=0.1)
    finally:
        made.stop()


@pytest.mark.parametrize("name", FROM_CPU_TIME)
def test_sources_that_look_at_cpu_time_count_this_process(name: str) -> None:
    source = plugins.create("energy", name, {"own_process": True})
    assert source.info.name == name
    assert chosen("modelled", {}).source.info.details["sees"].endswith("and of itself; no GPU")
