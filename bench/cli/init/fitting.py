"""Minutes -> how many blocks of what length fit into them.

Where five blocks of 60 s windows do not fit, windows get shorter before blocks get fewer: short windows
are noisier, which the report shows, but below five blocks there is no answer at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.effect import FEWEST_BLOCKS
from analysis.sizing import Noise, blocks_to_tell, smallest_change
from analysis.verdict import THRESHOLD
from bench.errors import UserError
from bench.run.display.plain import clock
from bench.suite.cadence import stretched
from bench.suite.config import Protocol
from energy.cadence import SETTLED_READINGS, USUAL_S
from energy.grade import whole_s
from energy.selftest import lasting_s

WINDOWS_S = (60.0, 45.0, 30.0, 20.0, 15.0, 10.0, 6.0)
"""Lengths to choose from, best first: a claim needs the first. A slow meter lengthens them."""
PROMPTS = (6, 50)
"""Fewest, and as many as the prompt set that comes along has."""
COOL_DOWN_S = 1.0
SELF_TEST_S = 5.0


@dataclass(frozen=True, kw_only=True)
class SuitePace:
    """How fast this machine gets through a suite."""

    request_s: float
    """Seconds of one request of the slowest ungated arm."""
    gap_s: float
    """Seconds that a slot takes beside its window and its cool-down."""
    startup_s: float
    """Seconds for loading and warming up."""
    reading_s: float = USUAL_S
    """Seconds between readings of the meter."""


@dataclass(frozen=True, kw_only=True)
class Sized:
    """The part of a suite that decides how long it runs."""

    blocks: int
    window_s: float
    prompts: int
    idle_s: float
    run_s: float
    """Expected length of the whole run."""
    least_change: float | None
    """Smallest true saving, as a fraction, that gets its verdict in 4 of 5 runs; None: there is none."""
    wanted_change: float
    wanted_blocks: int | None
    """Blocks for `wanted_change`; None: no number would do."""
    wanted_s: float | None
    fits: int
    """Blocks of this length that fit into the minutes given."""


def size(minutes: float, *, arms: int, asked: int, pace: SuitePace, noise: Noise, change: float) -> Sized:
    """Blocks and windows for the time there is; no more blocks than `change` needs.

    Args:
        minutes: there are.
        arms: of the suite, the A/A arms included.
        asked: comparisons of the run, each a chance of a false "saves".
        pace: of this machine.
        noise: of a block.
        change: true saving that has to get its verdict, as a fraction.

    Raises:
        UserError: five of the shortest blocks do not fit.
    """
    wanted = blocks_to_tell(change, noise, asked=asked)
    for window_s in WINDOWS_S:
        plan = plan_of(window_s, pace)
        block_s, fixed_s = lengths(plan, arms=arms, pace=pace)
        fits = int((60 * minutes - fixed_s) // block_s)
        if fits >= FEWEST_BLOCKS:
            break
    else:
        least = math.ceil((fixed_s + FEWEST_BLOCKS * block_s) / 60)
        raise UserError(
            f"{minutes:g} min are too few: {FEWEST_BLOCKS} blocks of {2 * arms} windows "
            f"need {least} min here",
            fix=f"give --minutes {least}, or look around first with: bench run quick",
        )
    blocks = fits if wanted is None else min(fits, wanted)
    return Sized(
        blocks=blocks,
        window_s=plan.min_window_s,
        prompts=prompts_for(plan.min_window_s, pace),
        idle_s=plan.idle_s,
        run_s=fixed_s + blocks * block_s,
        least_change=smallest_change(blocks, noise, asked=asked),
        wanted_change=change,
        wanted_blocks=wanted,
        wanted_s=None if wanted is None else fixed_s + wanted * block_s,
        fits=fits,
    )


def prompts_for(window_s: float, pace: SuitePace) -> int:
    """As many prompts as are through once within a window: a slot holds whole passes."""
    fewest, most = PROMPTS
    return max(fewest, min(most, int(window_s / pace.request_s)))


def plan_of(window_s: float, pace: SuitePace) -> Protocol:
    """The lengths that go with such windows, for the cadence of the meter."""
    usual = Protocol(
        min_window_s=window_s, idle_s=window_s / 3, cool_down_s=COOL_DOWN_S, self_test_s=SELF_TEST_S
    )
    return stretched(usual, pace.reading_s)


def lengths(plan: Protocol, *, arms: int, pace: SuitePace) -> tuple[float, float]:
    """Seconds of a block with the idle measurement after it, and of what a run has beside its blocks."""
    pass_s = prompts_for(plan.min_window_s, pace) * pace.request_s
    held_s = math.ceil(plan.min_window_s / pass_s) * pass_s
    block_s = 2 * arms * (held_s + plan.cool_down_s + pace.gap_s) + plan.idle_s
    return block_s, pace.startup_s + lasting_s(plan.self_test_s, pace.reading_s) + plan.idle_s


def caution(sized: Sized, pace: SuitePace) -> str:
    """What windows this short are graded, in a sentence; nothing where they hold enough readings."""
    settled_s = SETTLED_READINGS * pace.reading_s
    if sized.window_s >= settled_s:
        return ""
    every = f"a reading comes every {1e3 * pace.reading_s:.0f} ms"
    return f" Windows below {whole_s(settled_s)} s may be graded 1: {every}, and their edges weigh too much."


def sentence(sized: Sized, *, minutes: float) -> str:
    """What gets a verdict in which time, and what never does."""
    change = f"A saving of {100 * sized.wanted_change:g} %"
    if sized.wanted_blocks is None or sized.wanted_s is None:
        need = f"{change} gets no verdict here, however long the run."
    else:
        need = f"{change} needs {sized.wanted_blocks} blocks = {clock(sized.wanted_s)} on this machine."
    never = f"One of {100 * THRESHOLD:g} % lies on the threshold, and no number of blocks settles it."
    if sized.blocks < sized.fits:
        return f"{need} That fits into the {minutes:g} min you have, and the suite ends there. {never}"
    least = "no saving gets a verdict"
    if sized.least_change is not None:
        least = f"savings of {100 * sized.least_change:.1f} % and more get their verdict in 4 of 5 runs"
    return f"{need} In the {minutes:g} min you have, {sized.blocks} blocks: {least}. {never}"
