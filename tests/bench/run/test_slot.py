"""How a slot is held, step by step, on a worker and a meter that only say what they were asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from bench.run import slot as slot_module
from bench.run.power import Power
from bench.run.session import RunSession
from bench.run.slot import Holder
from bench.run.workers import group
from bench.run.workers.group import Workers
from bench.suite.config import Protocol
from bench.suite.plan import Arm, PlannedSlot

PROMPTS = SimpleNamespace(prompts=[SimpleNamespace(id="a"), SimpleNamespace(id="b")])
AC, BATTERY = Power(source="ac"), Power(source="battery")
SLOT = PlannedSlot(block=1, position=1, arm=Arm(backend="echo", gate="ungated"))


class Told:
    """A worker whose clock goes on by a second at every request; all that is asked is kept in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.now_s = 0.0

    def ask(self, message: Any, *, deadline_s: float) -> Any:
        step = type(message).__name__.lower()
        self.steps.append(step)
        self.now_s += step == "request"
        settled = [MagicMock()] * self.steps.count("request")
        return MagicMock(now_s=self.now_s, requests=settled, counted=settled)

    def elsewhere(self, *_: Any) -> list[Any]:
        return []


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Any]]:
    """The steps of one slot whose window has to be three seconds long, and what is stored of it."""
    worker, meter, supplies = Told(), MagicMock(), iter([AC, AC, BATTERY])
    meter.cool_down.side_effect = lambda **_: worker.steps.append("cool down")
    meter.joules.side_effect = lambda *_: worker.steps.append("joules")

    def power() -> Power:
        worker.steps.append("power")
        return next(supplies)

    monkeypatch.setattr(slot_module.host, "power", power)
    monkeypatch.setattr(slot_module, "RequestRecord", MagicMock())
    monkeypatch.setattr(slot_module, "replace", lambda request, **_: request)
    stored: dict[str, Any] = {}
    monkeypatch.setattr(slot_module, "SlotRecord", lambda **fields: stored.update(fields))
    holder = Holder(
        MagicMock(prompts=PROMPTS, as_published=False),
        session=1,
        meter=meter,
        workers=MagicMock(of=lambda backend: worker),
        display=MagicMock(),
        event=MagicMock(),
    )
    worker.steps.clear()  # the power supply at the start of the session
    holder.hold(SLOT, [], Protocol(min_window_s=3.0, cool_down_limit_s=0.0))
    return worker.steps, stored


def test_the_device_is_idle_at_both_ends_and_whole_passes_run_between(held) -> None:
    """Two prompts of a second each: two passes make a window of three seconds.

    The first request after the rest is outside of it, and is not kept.
    """
    steps, stored = held
    rest = steps.index("cool down")
    passes = ["request", "request", "synchronize"]
    assert steps[rest + 1 :] == ["discard", "synchronize", *passes, *passes, "settle", "power", "joules"]
    assert (stored["passes"], stored["start_s"], stored["end_s"]) == (2, 0.0, 4.0)


def test_answers_are_fetched_and_readings_decoded_after_the_window(held) -> None:
    steps, _ = held
    window = steps[steps.index("discard") + 1 : len(steps) - 3]
    assert set(window) == {"synchronize", "request"}


def test_the_power_supply_is_read_on_both_sides_of_the_window_and_what_changed_is_kept(held) -> None:
    steps, stored = held
    assert [step for step in steps if step in ("power", "cool down", "joules")] == [
        *("power", "cool down", "power", "joules")
    ]
    assert stored["power"] == BATTERY


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        ([5.0, 3.0, 2.0, 1.99], 4),  # the last is less than 3 % faster than the best
        ([2.0, 2.5, 1.0], 2),
    ],
)
def test_a_worker_is_warm_when_a_request_gets_no_faster(seconds: list[float], asked: int) -> None:
    workers, replies = Workers.__new__(Workers), iter(seconds)
    workers.prepared = MagicMock(prompts=PROMPTS)
    worker = MagicMock()
    worker.ask.side_effect = lambda *_, **__: SimpleNamespace(seconds_s=next(replies))
    workers._warm_up_model(worker, "full", until_s=float("inf"))
    assert worker.ask.call_count == asked


def test_warming_up_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request is twice as fast as the one before: it would go on for ever."""
    clock = iter(range(100))
    monkeypatch.setattr(group.time, "perf_counter", lambda: next(clock))
    workers, worker = Workers.__new__(Workers), MagicMock()
    workers.prepared = MagicMock(prompts=PROMPTS)
    worker.ask.side_effect = lambda *_, **__: SimpleNamespace(seconds_s=0.5**worker.ask.call_count)
    workers._warm_up_model(worker, "full", until_s=5)
    assert worker.ask.call_count == 5


def test_the_time_that_is_left_is_that_of_the_lengthened_plan() -> None:
    """Six slots of 6 s would be half a minute; at 245 ms they take 11.4 s each, and idle 3.1 s."""
    session = RunSession.__new__(RunSession)
    session.protocol = Protocol(min_window_s=6.0, idle_s=1.6, cool_down_s=0.5)
    session.prepared = MagicMock(blocks=[[SLOT] * 6], suite=MagicMock(protocol=session.protocol))
    session.meter = MagicMock(cadence_s=lambda: 0.245)
    session.display, session._whole = MagicMock(), set()
    session._fit_to_meter()
    (said,) = session.display.note.call_args.args
    assert said.startswith("a reading every 245 ms: windows lengthened to 11.4 s, idle to 3.1 s")
    next(iter(session.remaining_blocks()))
    assert session._remaining.least_s == pytest.approx(6 * (11.4 + 0.8) + 3.1)
