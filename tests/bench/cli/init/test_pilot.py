"""A pilot finds out how noisy and how fast the machine is, and leaves nothing behind."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.cli.init import pilot
from bench.errors import Interrupted, RunFailed
from bench.run import sources, start
from bench.run.display.plain import Display, PlainDisplay
from bench.run.remaining import Remaining
from bench.run.session import RunSession
from bench.suite.plan import Arm, PlannedSlot
from tests.bench.at_hand import at_hand
from tests.bench.cli.init.test_suite_text import DRAFT

TINY = replace(
    pilot.draft_of(DRAFT, minutes=1),
    blocks=2,
    prompts=1,
    max_new_tokens=2,
    window_s=0.3,
    idle_s=0.3,
    cool_down_s=0.0,
    cool_down_limit_s=0.0,
    warm_up_s=0.2,
)


@pytest.fixture
def quick_meter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers are at hand, and readings come every 20 ms: windows are ten of them long."""
    monkeypatch.setattr(start, "choose_meter", lambda _: sources.choose("modelled", {"interval_ms": 20}))
    with at_hand():
        yield


def test_it_takes_a_twentieth_of_the_time_but_one_minute_at_least_and_five_at_most() -> None:
    lengths_s = {minutes: pilot.draft_of(DRAFT, minutes=minutes).least_s for minutes in (10, 60, 600)}
    assert 60 < lengths_s[10] < 100
    assert lengths_s[60] == pytest.approx(180, rel=0.1)
    assert lengths_s[600] == pytest.approx(300, rel=0.1)
    assert pilot.draft_of(DRAFT, minutes=60).arms == 2


@pytest.mark.usefixtures("quick_meter")
def test_it_finds_noise_and_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    console = Console(file=io.StringIO())
    found = pilot.fly(TINY, PlainDisplay(console))
    assert found.noise.blocks == 2
    assert 0 <= found.noise.seen <= found.noise.planned
    assert 0 < found.pace.request_s < 1.2
    assert 0 <= found.pace.gap_s < 5
    assert found.pace.startup_s > 0
    assert found.kind in ("modelled", "measured")
    assert list(tmp_path.glob("bench-pilot-*")) == []


@pytest.mark.usefixtures("quick_meter")
def test_a_pilot_that_is_interrupted_keeps_the_blocks_that_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the third block."""
    measure = RunSession.measure

    def interrupted(session: RunSession, slot: PlannedSlot) -> None:
        if slot.block == 3:
            raise KeyboardInterrupt
        measure(session, slot)

    monkeypatch.setattr(RunSession, "measure", interrupted)
    said = io.StringIO()
    found = pilot.fly(replace(TINY, blocks=4), PlainDisplay(Console(file=said)))
    assert found.noise.blocks == 2
    assert "made from the blocks that are whole" in said.getvalue()


@pytest.mark.usefixtures("quick_meter")
def test_a_pilot_that_is_far_too_slow_starts_anew_with_less_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever it takes is too long."""
    monkeypatch.setattr(pilot, "_LATE", 0.0)
    told = io.StringIO()
    found = pilot.fly(replace(TINY, blocks=4, prompts=2), PlainDisplay(Console(file=told, width=200)))
    assert found.noise.blocks == 2
    assert "latency" not in told.getvalue()
    assert told.getvalue().count("as planned: it starts anew with one prompt and 2 blocks") == 1
    assert "interrupted" not in told.getvalue()


@pytest.mark.parametrize(
    ("slot_s", "prompts", "slots", "is_anew"),
    [
        (1.0, 3, 24, False),  # as planned
        (1.9, 3, 24, False),
        (2.5, 3, 20, False),  # 48 s are over after 20 slots
        (5.9, 3, 12, False),
        (6.1, 3, 1, True),  # two blocks would take more than 48 s
        (60.0, 1, 8, False),  # there is no less work than that
    ],
)
def test_a_pilot_is_ended_by_what_was_timed(
    slot_s: float, prompts: int, slots: int, is_anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = replace(TINY, blocks=6, prompts=prompts, window_s=1.0, idle_s=0.0)
    assert draft.least_s == 24.0
    watch, done = pilot._InTime(Display(), draft), 0
    monkeypatch.setattr(pilot.time, "perf_counter", lambda: 1000.0 + slot_s * done)
    slot = PlannedSlot(arm=Arm(backend="echo", gate="ungated"), block=1, position=1)
    with suppress(KeyboardInterrupt):
        while done < 24:
            watch.slot_started(slot, remaining=Remaining([[slot]]))
            done += 1
    assert (done, watch.is_anew) == (slots, is_anew)
    assert watch.is_ended == (slots < 24)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (Interrupted("interrupted", fix="go on with: bench run --resume X"), "no suite was written"),
        (
            RunFailed("the meter is gone", fix="go on with: bench run --resume X"),
            "broke .the meter is gone.; go without",
        ),
    ],
)
def test_a_pilot_that_breaks_names_no_folder_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, broken: Exception, said: str
) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise broken

    monkeypatch.setattr(start, "run_or_resume", fail)
    with pytest.raises(type(broken), match=said) as raised:
        pilot.fly(TINY, PlainDisplay(Console(file=io.StringIO())))
    assert "--resume" not in str(raised.value)


def test_without_joules_it_says_how_to_go_on() -> None:
    with pytest.raises(RunFailed, match="--no-pilot"):
        pilot._noise([], ("echo",))
