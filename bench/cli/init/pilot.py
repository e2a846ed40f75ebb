"""A short run that answers nothing but how noisy and how fast this machine is.

Only the ungated arm and its A/A copy are run, in a few blocks of short windows, by the machinery of every
other run. Longer windows usually have less noise, so what is planned with it errs on the safe side.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, cast

from analysis.blocks import block_table
from analysis.sizing import Noise, noise_of
from analysis.values import Withheld
from bench.cli.init.fitting import SuitePace
from bench.cli.init.suite_text import Draft, to_toml
from bench.errors import Interrupted, RunFailed
from bench.report.slots import SlotRead
from bench.report.story import Story
from bench.run import start, store
from bench.run.display.plain import Display
from bench.run.records import IdleRecord, SessionRecord
from bench.run.remaining import Remaining
from bench.suite.plan import Arm, PlannedSlot
from energy.cadence import USUAL_S

BLOCKS = 6
"""Fewer know the spread badly, and the plan pays for that."""
FEWEST_BLOCKS = 2
"""Fewer have no spread."""
PROMPTS = 3
COOL_DOWN_S = 0.5
_SHARE = 0.05
_LEAST_S, _MOST_S = 60.0, 300.0
_LEAST_WINDOW_S = 2.0
_LATE = 2.0
"""Times as long as was said, that a pilot may take; two blocks are waited for, of the least work at worst."""


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """What a pilot found."""

    noise: Noise
    """Of the noisiest backend."""
    pace: SuitePace
    kind: str
    """Of the joules: measured, modelled, simulated or replayed."""
    meter: str
    """Which energy source, and why."""
    window_s: float


def draft_of(draft: Draft, *, minutes: float) -> Draft:
    """The pilot of a suite: a twentieth of the time there is, from one minute to five."""
    slots = BLOCKS * 4 * len(draft.backends)
    seconds_s = min(max(_SHARE * 60 * minutes, _LEAST_S), _MOST_S)
    return replace(
        draft,
        name="pilot",
        question=None,
        small_layers=None,
        prompts=PROMPTS,
        blocks=BLOCKS,
        window_s=round(max(_LEAST_WINDOW_S, seconds_s / slots - COOL_DOWN_S - 0.5), 1),
        idle_s=1.6,
        cool_down_s=COOL_DOWN_S,
        cool_down_limit_s=10.0,
        self_test_s=0.0,
        warm_up_s=10.0,
    )


class _InTime:
    """A display, and a clock that ends the pilot as Ctrl-C would once it takes much longer than was said."""

    def __init__(self, shown: Display, draft: Draft) -> None:
        self._shown, self._draft = shown, draft
        self._slots, self._began_s = 0, 0.0
        self.is_ended = False
        self.is_anew = False
        """Whether two blocks of its work would take too long, so that it has to start with less."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shown, name)

    def note(self, text: str) -> None:
        """Pass it on; once the pilot was ended, the run speaks of a Ctrl-C that nobody has pressed."""
        if not self.is_ended:
            self._shown.note(text)

    def slot_started(self, slot: PlannedSlot, *, remaining: Remaining) -> None:
        """Pass it on, unless there is no time for it."""
        now_s = time.perf_counter()
        self._began_s = self._began_s or now_s
        self._end_if_late(now_s - self._began_s)
        self._slots += 1
        self._shown.slot_started(slot, remaining=remaining)

    def _end_if_late(self, took_s: float) -> None:
        in_block, said_s = 2 * self._draft.arms, self._draft.least_s
        fewest = FEWEST_BLOCKS * in_block
        if self._slots >= fewest:
            if self._slots % in_block or took_s <= _LATE * said_s:
                return
            blocks = self._slots // in_block
            why = f"the suite is made from the {blocks} blocks that are whole"
        else:
            if not self._slots or self._draft.prompts == 1 or took_s * fewest / self._slots <= _LATE * said_s:
                return
            self.is_anew = True
            why = f"it starts anew with one prompt and {FEWEST_BLOCKS} blocks"
        slot_s = took_s / self._slots
        self._shown.note(
            f"a window takes {slot_s:.0f} s and not {self._draft.window_s:g} s as planned: {why}"
        )
        self.is_ended = True
        raise KeyboardInterrupt


def fly(draft: Draft, display: Display) -> Pilot:
    """Run a pilot; one that is far too slow once more, with the least work that tells anything.

    Args and errors: as of `_flown`.
    """
    watch = _InTime(display, draft)
    try:
        return _flown(draft, watch)
    except Interrupted:
        if not watch.is_anew:
            raise
    least = replace(draft, prompts=1, blocks=FEWEST_BLOCKS)
    return _flown(least, _InTime(display, least))


def _flown(draft: Draft, watch: _InTime) -> Pilot:
    """Run a pilot and forget its folder.

    Args:
        draft: a pilot's suite; its model is on this machine.
        watch: is told how it goes on.

    Raises:
        UserError: the suite can't work here.
        RunFailed: it broke, or gave no joules.
        Interrupted: Ctrl-C before two blocks were whole; later, those that are whole are what it found.
    """
    display = cast(Display, watch)
    with tempfile.TemporaryDirectory(prefix="bench-pilot-") as below:
        file = Path(below) / "pilot.toml"
        file.write_text(to_toml(draft), encoding="utf-8")
        prepared, header = start.prepared(str(file), energy=None, backends=None, blocks=None)
        meter = start.choose_meter(header)
        display.note(meter.note)
        began_s = time.perf_counter()
        try:
            folder = start.run_or_resume(
                prepared, header, meter, out=Path(below), resume_from=None, display=display
            )
        except Interrupted:
            folder = _as_far_as_it_came(Path(below))
            display.note("interrupted: the suite is made from the blocks that are whole")
        except RunFailed as error:
            # not how to resume, because a pilot's folder is not kept
            raise RunFailed(
                f"the pilot broke ({error.what})", fix="go without: bench init --no-pilot"
            ) from None
        story = Story.of(folder)
        idle = story.readback.run.of(IdleRecord)
        (session,) = story.readback.run.of(SessionRecord)
        measured_s = idle[-1].end_s - idle[0].start_s
        startup_s = time.perf_counter() - began_s - measured_s
    return Pilot(
        noise=_noise(story.slots, draft.backends),
        pace=_pace(story, session, startup_s=startup_s),
        kind=story.slots[0].kind,
        meter=meter.note,
        window_s=session.stretched.get("min_window_s", draft.window_s),
    )


def _as_far_as_it_came(below: Path) -> Path:
    """The folder of a pilot that was interrupted, if it tells anything."""
    for file in below.glob("*/run.json"):
        if len(store.read(file.parent).finished_blocks) >= FEWEST_BLOCKS:
            return file.parent
    raise Interrupted(
        f"interrupted before {FEWEST_BLOCKS} blocks were whole, and no suite was written",
        fix="go without a pilot: bench init --no-pilot",
    ) from None


def _noise(slots: list[SlotRead], backends: tuple[str, ...]) -> Noise:
    noises = []
    for backend in backends:
        once, again = (Arm(backend=backend, gate="ungated", a_a=a_a).label for a_a in (False, True))
        table = block_table(slots, [once, again], amount="gross_j", per="request")
        if isinstance(table, Withheld) or table.values.shape[1] < FEWEST_BLOCKS:
            why = table.reason if isinstance(table, Withheld) else f"too few whole blocks: {table.left_out}"
            raise RunFailed(
                f"the pilot gave no joules to plan with ({why})", fix="go without: bench init --no-pilot"
            )
        noises.append(noise_of(table.logs(again) - table.logs(once)))
    return max(noises, key=lambda noise: noise.planned)


def _pace(story: Story, session: SessionRecord, *, startup_s: float) -> SuitePace:
    gaps_s = [
        after.start_s - before.end_s - COOL_DOWN_S
        for before, after in pairwise(slot.record for slot in story.slots)
        if before.block == after.block
    ]
    return SuitePace(
        request_s=max(slot.seconds_s / slot.requests for slot in story.slots),
        gap_s=max(median(gaps_s), 0.0),
        startup_s=startup_s,
        reading_s=session.reading_s or USUAL_S,
    )
