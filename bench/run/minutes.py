"""The time that a run was given: what of it is left, and how that is divided."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Self

from analysis.words import counted
from bench.errors import UserError
from bench.run.records import RequestRecord, SizedRecord, SlotRecord
from bench.suite import sizing
from bench.suite.config import Protocol
from bench.suite.prepare import Prepared
from bench.suite.sizing import FirstPass, Sizes
from energy.cadence import WINDOW

_LATE = 0.05
"""A run that is expected to end later than its minutes by more than this share says so."""
_START_S = 0.5
"""Of the interpreter, before the command can look at a clock."""


class Minutes:
    """Counts from the start of the command to its last line.

    Args:
        minutes: that were asked for.
        before_s: seconds of the command so far. They went into imports for the most part, and those of the
            report take about as long again.
    """

    def __init__(self, minutes: float, *, before_s: float) -> None:
        self.minutes = minutes
        self.run_s = 60 * minutes
        self._began_s = time.perf_counter() - before_s - _START_S
        self._report_s = before_s + sizing.REPORT_SHARE * self.run_s
        self.pulses_s = 0.0
        """Seconds that the pulses before the blocks took; those after take as long."""
        self._blocks_began_s = 0.0

    @classmethod
    def of(cls, protocol: Protocol, *, before_s: float) -> Self | None:
        """Those of a protocol; None where it states its blocks."""
        return None if protocol.minutes is None else cls(protocol.minutes, before_s=before_s)

    @property
    def most_pulses_s(self) -> float:
        """For the pulses on either side of the blocks."""
        return sizing.PULSES_SHARE * self.run_s

    def first_pass_s(self, prepared: Prepared) -> float:
        """Seconds that the first pass of an arm may take."""
        return sizing.FIRST_PASS_SHARE * self.run_s / sum(not arm.a_a for arm in prepared.arms)

    def latency_prompts(self, passes: Mapping[str, FirstPass], prepared: Prepared, *, most: int) -> int:
        """Prompts that are timed token by token: `most`, or what fits into a share of the run, if any does.

        Args:
            passes: the first of each arm, by its label.
            prepared: what is to run.
            most: of the protocol.
        """
        new_tokens = prepared.suite.generation.max_new_tokens
        prompt_s = sum(one.pace(1).pass_s(new_tokens) for one in passes.values())
        fit = sizing.LATENCY_SHARE * self.run_s / prompt_s if prompt_s else math.inf
        return max(0, int(min(fit - 1, most)))  # of each arm one more is discarded

    def divide(
        self,
        passes: Mapping[str, FirstPass],
        prepared: Prepared,
        protocol: Protocol,
        *,
        session: int,
        reading_s: float,
        room: int | None,
    ) -> SizedRecord:
        """Prompts, blocks, windows and answers for what is left.

        Args:
            passes: the first of each arm, by its label; an A/A arm is like what it copies.
            prepared: what is to run.
            protocol: as the meter allows it.
            session: number of this one.
            reading_s: seconds between readings, as seen.
            room: new tokens for which the models have room; None without a limit.

        Raises:
            UserError: the least there is would end far too late.
        """
        first = prepared.suite.generation.max_new_tokens
        left_s = self._left_s()
        sizes = sizing.size(
            left_s,
            arms=[passes[replace(arm, a_a=False).label] for arm in prepared.arms],
            prompts=len(prepared.prompts.prompts),
            idle_s=protocol.idle_s,
            least_window_s=WINDOW.least * reading_s,
            new_tokens=[n for n in prepared.new_tokens if room is None or n <= room] or [first],
        )
        self._check(sizes, passes, left_s)
        self._blocks_began_s = time.perf_counter()
        beside_s = self.run_s - left_s
        return SizedRecord(
            session=session,
            minutes=self.minutes,
            reading_s=reading_s,
            first_pass_s={label: one.pace(sizes.prompts).pass_s(first) for label, one in passes.items()},
            first_new_tokens=first,
            prompts=sizes.prompts,
            in_set=len(prepared.prompts.prompts),
            done=0,
            blocks=sizes.blocks,
            window_s=sizes.window_s,
            new_tokens=sizes.new_tokens,
            run_s=beside_s + sizes.seconds_s,
            verdict_s=beside_s + sizes.verdict_s,
        )

    def blocks(self, done: int, *, here: int, idle_s: float) -> int:
        """How many blocks the run has in all, now that some are done.

        Args:
            done: blocks that are whole.
            here: of these, how many since `divide`.
            idle_s: length of an idle measurement; that after the last block is yet to come.
        """
        block_s = (time.perf_counter() - self._blocks_began_s + idle_s) / here
        return sizing.blocks_in(self._left_s() - idle_s, done=done, block_s=block_s)

    def _left_s(self) -> float:
        """Seconds for blocks and the idle measurement after each; pulses and the report come after them."""
        return self.run_s - self.pulses_s - self._report_s - (time.perf_counter() - self._began_s)

    def _check(self, sizes: Sizes, passes: Mapping[str, FirstPass], left_s: float) -> None:
        least_s = self.run_s - left_s + sizes.seconds_s
        if least_s <= sizing.REFUSED * self.run_s:
            return
        least = math.ceil(least_s / 60)
        lengths = {label: one.pace(1).pass_s(sizes.new_tokens) for label, one in passes.items()}
        each = ", ".join(f"{label} {_seconds(length_s)} s" for label, length_s in lengths.items())
        blocks = counted(sizes.blocks, "block")
        raise UserError(
            f"{self.minutes:g} min are too few: {blocks} with one prompt in each window would make a run of "
            f"{least} min here (a prompt with an answer of {sizes.new_tokens} tokens: {each})",
            fix=f"give --minutes {least} (in a suite: minutes = {least}), or fewer models",
        )


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def first_pass_of(
    record: SlotRecord, requests: Sequence[RequestRecord], *, took_s: float, new_tokens: int
) -> FirstPass:
    """What a first pass shows.

    Args:
        record: its window.
        requests: of it, one a prompt.
        took_s: the whole slot, with what comes before and after the window.
        new_tokens: most of an answer.
    """
    ends_s = [record.start_s, *(request.end_s for request in requests[:-1]), record.end_s]
    spans_s = [later - sooner for sooner, later in pairwise(ends_s)]
    decode_s = [request.decode_s for request in requests]
    return FirstPass(
        fixed_s=tuple(span - decode for span, decode in zip(spans_s, decode_s, strict=True)),
        token_s=tuple(decode / new_tokens for decode in decode_s),
        gap_s=took_s - record.seconds_s,
    )


def part_of_set(sized: SizedRecord) -> str | None:
    """`2 of 5 prompts`; None where a repeat holds all of them."""
    return None if sized.prompts == sized.in_set else f"{sized.prompts} of {sized.in_set} prompts"


def sentence(sized: SizedRecord) -> str:
    """What was chosen, in words."""
    blocks = counted(sized.blocks, "block")
    if sized.done:
        return f"{blocks} of this length {'fits' if sized.blocks == 1 else 'fit'} into {sized.minutes:g} min"
    prompts = f"the first {part}, " if (part := part_of_set(sized)) else ""
    plan = f"{prompts}{blocks}, windows of {sized.window_s:.1f} s, answers of {sized.new_tokens} tokens"
    words = f"for {sized.minutes:g} min: {plan}"
    if sized.run_s > (1 + _LATE) * 60 * sized.minutes:
        words = (
            f"{sized.minutes:g} min are too few: the least, {plan}, takes {math.ceil(sized.run_s / 60)} min"
        )
    if sized.blocks >= sizing.BLOCKS[0]:
        return words
    return f"{words}; a verdict needs {sizing.BLOCKS[0]} blocks: {math.ceil(sized.verdict_s / 60)} min"
