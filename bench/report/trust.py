"""How far the figures of a run go, and the command that gets further."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from analysis.effect import FEWEST_BLOCKS
from analysis.words import counted
from bench.report.arm_row import ArmRow
from bench.report.readback import Readback

if TYPE_CHECKING:
    from bench.report.answer import Comparison


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How far the figures go, and what gets further."""

    text: str
    command: str


def trust_of(readback: Readback, rows: Sequence[ArmRow], comparisons: Sequence[Comparison]) -> Trust:
    """The first thing that keeps the figures from a claim, and the command that mends it."""
    folder, blocks = shlex.quote(str(readback.run.folder)), readback.whole_blocks
    grade = min((row.grade for row in rows if row.grade is not None), default=None)
    open_ones = [one for one in comparisons if one.blocks_to_settle]
    if not blocks:
        text = "No block is whole, so nothing is compared. To go on:"
        return Trust(text=text, command=f"bench run --resume {folder}")
    if not grade:
        return Trust(text="To see what this machine can measure:", command="bench doctor")
    if blocks < FEWEST_BLOCKS:
        longer = _longer(readback, FEWEST_BLOCKS - blocks)
        text = f"A quick look: {counted(blocks, 'block')}, and a claim needs {FEWEST_BLOCKS}{longer}:"
        return Trust(text=text, command=f"bench run --resume {folder} --blocks {FEWEST_BLOCKS}")
    if open_ones:
        more = max((one.blocks_to_settle or 0) - one.blocks for one in open_ones)
        text = f"About {counted(more, 'more block')} would settle what is open{_longer(readback, more)}:"
        return Trust(text=text, command=f"bench run --resume {folder} --blocks {blocks + more}")
    if grade == 1:
        return Trust(text="The meter was read, but not in full; why:", command=f"bench report {folder} --all")
    text = f"{counted(blocks, 'block')}, joules {rows[0].grade_name}; what could overturn it:"
    return Trust(text=text, command=f"bench report {folder} --all")


def _longer(readback: Readback, blocks: int) -> str:
    """`, about 4 min more`: if they take as long as those that there are."""
    spans: dict[tuple[int, int], list[float]] = {}
    for slot in (row.record for row in readback.slots):
        spans.setdefault((slot.session, slot.block), []).extend((slot.start_s, slot.end_s))
    if not spans:
        return ""
    block_s = median(max(instants) - min(instants) for instants in spans.values())
    return f", about {math.ceil(blocks * block_s / 60)} min more"
