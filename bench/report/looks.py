"""After how many blocks somebody looks at a run: what was declared, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from analysis.effect import FEWEST_BLOCKS
from analysis.looks import level_of


def looks_of(declared: Sequence[int], finished: Mapping[int, int]) -> tuple[int, ...]:
    """Numbers of blocks after which a verdict was or may be seen, ascending; fewer than five have none.

    Args:
        declared: of the run, whether they were reached or not.
        finished: block -> session in which it was completed; whoever sees a session end can look.
    """
    sessions = Counter(finished.values())
    ends = accumulate(sessions[session] for session in sorted(sessions))
    return tuple(sorted({blocks for blocks in (*declared, *ends) if blocks >= FEWEST_BLOCKS}))


def level_of_run(declared: Sequence[int], finished: Mapping[int, int]) -> float:
    """Level of the interval at each of these looks."""
    return level_of(looks_of(declared, finished))


def spent(looks: Iterable[int], blocks: int) -> list[int]:
    """Those of the looks that so many blocks have reached."""
    return [look for look in looks if look <= blocks]
