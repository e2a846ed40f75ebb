"""A pilot finds out how noisy and how fast the machine is, and leaves nothing behind."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.cli.init import pilot
from bench.errors import Interrupted, RunFailed
from bench.run import sources, start
from bench.run.display.plain import PlainDisplay
from bench.run.session import RunSession
from bench.suite.plan import PlannedSlot
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
