"""Minutes -> how a run is divided, so that the whole command ends in them.

What stands beside the blocks (self-test, idle, rests, warming up) is cut in proportion to the minutes before
anything starts: `shortened`. Then a pass of every arm is timed, and `size` divides what is left. Five blocks
come first, because no verdict rests on fewer; then answers as long as usual; then long windows; and more than
five blocks only where windows are as long as a claim needs. Where five blocks do not fit, three or two give
joules, though no verdict. Where not even one block does, a repeat holds fewer prompts, those at the front.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.suite.config import Protocol

DEFAULT_MINUTES = 3.0
"""Of models on the command line, where nothing else is asked for."""

BLOCKS = (5, 3, 2, 1)
"""Numbers of blocks, best first: a verdict needs five; one alone is a look that keeps to its minutes."""
WINDOW_S = 60.0
"""As long as a claim needs; more time goes into more blocks."""
NEW_TOKENS = (64, 48, 32, 24, 16, 12, 8)
"""Lengths of an answer to choose from where none is stated, best first."""

REFUSED = 2.0
"""Where even the least plan takes longer than the minutes, it is said and run, up to so many times them."""
PULSES_SHARE = 0.03
"""Of the minutes, for the pulses before the blocks, and for those after."""
REPORT_SHARE = 0.01
"""Of the minutes, for what comes after the meter has stopped."""
FIRST_PASS_SHARE = 0.12
"""Of the minutes, for the first pass of all arms together; later prompts are taken to be like these."""
LATENCY_SHARE = 0.05
"""Of the minutes, for timing tokens one by one."""
_SHARES = {
    "self_test_s": 0.01,
    "idle_s": 0.01,
    "cool_down_s": 0.003,
    "cool_down_limit_s": 0.01,
    "warm_up_s": 0.05,
}
"""Of the minutes, by key of the protocol: no more than this, unless the suite states the key."""

_STEP_S = 0.1
_QUICKER = 0.25
"""A window this share of a pass short of a whole number of them may take one pass more."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds of an arm's slot, as a first pass showed them."""

    fixed_s: float
    """Of a pass, whatever the length of the answers: gates and prefill."""
    token_s: float
    """That a pass takes more for each new token of its answers."""
    gap_s: float
    """Beside the window: rest, the discarded request, waiting for the meter."""

    def pass_s(self, new_tokens: int) -> float:
        """Seconds of a pass with answers of so many tokens."""
        return self.fixed_s + self.token_s * new_tokens

    def slot_s(self, window_s: float, new_tokens: int) -> float:
        """Seconds of a slot: it holds whole passes until the window is so long."""
        pass_s = self.pass_s(new_tokens)
        return math.ceil(window_s / pass_s + _QUICKER) * pass_s + self.gap_s


@dataclass(frozen=True, kw_only=True)
class FirstPass:
    """Seconds of an arm's first requests, one a prompt from the front, in a slot that is not stored."""

    fixed_s: tuple[float, ...]
    """Of each, whatever the length of its answer: gate, prefill, and what lies between two requests."""
    token_s: tuple[float, ...]
    """That each takes for a new token."""
    gap_s: float

    def pace(self, prompts: int) -> Pace:
        """The pace of a pass of so many prompts; those not timed are taken to be like the others."""
        more = prompts / min(prompts, len(self.fixed_s))
        return Pace(
            fixed_s=more * sum(self.fixed_s[:prompts]),
            token_s=more * sum(self.token_s[:prompts]),
            gap_s=self.gap_s,
        )


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Prompts, blocks, windows and answers, and how long they take."""

    prompts: int
    """Of a repeat, from the front of the set."""
    blocks: int
    window_s: float
    new_tokens: int
    seconds_s: float
    """Of all blocks, each with the idle measurement after it."""
    verdict_s: float
    """The same of the least plan with all prompts and enough blocks for a verdict."""


def shortened(protocol: Protocol) -> Protocol:
    """The protocol with lengths beside its blocks that fit into its minutes; what the suite states stays."""
    if protocol.minutes is None:
        return protocol
    shares = {key: share for key, share in _SHARES.items() if key not in protocol.model_fields_set}
    run_s = 60 * protocol.minutes
    return protocol.model_copy(
        update={key: min(getattr(protocol, key), share * run_s) for key, share in shares.items()}
    )


def size(
    left_s: float,
    *,
    arms: Sequence[FirstPass],
    prompts: int,
    idle_s: float,
    least_window_s: float,
    new_tokens: Sequence[int],
) -> Sizes:
    """Prompts, blocks, windows and answers for the seconds that are left.

    Args:
        left_s: for the blocks and the idle measurement after each.
        arms: first pass of each, the A/A arms included.
        prompts: of the set.
        idle_s: length of an idle measurement.
        least_window_s: shortest window that has enough readings.
        new_tokens: lengths of an answer to choose from, best first.

    Returns:
        What fits; the least there is, with `seconds_s` above `left_s`, where nothing does.
    """
    paces = [arm.pace(prompts) for arm in arms]

    def block_s(window_s: float, tokens: int) -> float:
        return 2 * sum(pace.slot_s(window_s, tokens) for pace in paces) + idle_s

    verdict_s = BLOCKS[0] * block_s(least_window_s, new_tokens[-1])
    while prompts > 1 and BLOCKS[-1] * block_s(least_window_s, new_tokens[-1]) > left_s:
        prompts -= 1
        paces = [arm.pace(prompts) for arm in arms]

    blocks, tokens = next(
        (
            (count, length)
            for count in BLOCKS
            for length in new_tokens
            if count * block_s(least_window_s, length) <= left_s
        ),
        (BLOCKS[-1], new_tokens[-1]),
    )
    steps = range(max(0, int((WINDOW_S - least_window_s) / _STEP_S)) + 1)
    windows_s = [least_window_s + _STEP_S * step for step in steps]
    fitting = bisect.bisect_right(windows_s, left_s, key=lambda window_s: blocks * block_s(window_s, tokens))
    window_s = windows_s[max(fitting - 1, 0)]
    if fitting == len(windows_s):
        blocks = int(left_s // block_s(window_s, tokens))
    return Sizes(
        prompts=prompts,
        blocks=blocks,
        window_s=window_s,
        new_tokens=tokens,
        seconds_s=blocks * block_s(window_s, tokens),
        verdict_s=verdict_s,
    )


def blocks_in(left_s: float, *, done: int, block_s: float) -> int:
    """How many blocks the run has in all, once some are done and their length is known.

    One more is begun if most of it fits.

    Args:
        left_s: for further blocks.
        done: so many are whole.
        block_s: seconds of one, with the idle measurement after it.
    """
    return max(done + max(0, int(left_s / block_s + _QUICKER)), BLOCKS[-1])
