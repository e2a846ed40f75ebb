"""Arms and a seed -> the order of slots.

A block holds every arm twice: a row of arms, then the same row backwards. Each arm then has the same
mean position, so a linear drift (warming up, battery, room) cancels within every block, which is the
unit of statistics. The rows come from a Williams square, in which over a full set of blocks every arm
follows every other equally often (Williams 1949, Austral. J. Sci. Res. A 2:149). Two arms give ABBA, BAAB.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

UNGATED = "ungated"
"""Label of a gate that changes nothing, where the suite gives it no other."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A backend with a gate: what is compared."""

    backend: str
    gate: str
    """The gate's label in the suite."""
    a_a: bool = False
    """True for the second copy of the ungated arm; its difference from the first is the noise floor."""

    @property
    def label(self) -> str:
        """`torch length`; where the gate is plain `ungated` the backend alone: `torch`, `torch (A/A)`.

        The one name of a configuration, on the terminal, on a page, in figures and in files.
        """
        own = self.backend if self.gate == UNGATED else f"{self.backend} {self.gate}"
        return own + (" (A/A)" if self.a_a else "")


@dataclass(frozen=True, kw_only=True)
class PlannedSlot:
    """An arm held for whole passes; the unit that joules are attributed to. Counts start at 1."""

    block: int
    position: int
    arm: Arm


def make_arms(backends: Sequence[str], gates: Sequence[str], *, baseline: str, a_a: bool) -> list[Arm]:
    """Every backend with every gate, and the A/A arm of each backend."""
    arms = []
    for backend in backends:
        arms += [Arm(backend=backend, gate=gate) for gate in gates]
        if a_a:
            arms.append(Arm(backend=backend, gate=baseline, a_a=True))
    return arms


def make_blocks(arms: Sequence[Arm], *, count: int, seed: int) -> list[list[PlannedSlot]]:
    """`count` blocks of 2 * len(arms) slots each. The seed decides which arm starts."""
    shuffled = list(arms)
    random.Random(seed).shuffle(shuffled)
    return [_block(shuffled, number) for number in range(1, count + 1)]


def one_after_another(arms: Sequence[Arm], *, baseline: str) -> list[list[PlannedSlot]]:
    """One block with a slot an arm, of each backend the ungated one first and its A/A copy last."""
    backends = list(dict.fromkeys(arm.backend for arm in arms))
    order = sorted(arms, key=lambda arm: (backends.index(arm.backend), arm.a_a, arm.gate != baseline))
    return [[PlannedSlot(block=1, position=i, arm=arm) for i, arm in enumerate(order, start=1)]]


def _block(arms: list[Arm], number: int) -> list[PlannedSlot]:
    row = [arms[index] for index in _williams_row(len(arms), number - 1)]
    order = row + row[::-1]
    return [PlannedSlot(block=number, position=i, arm=arm) for i, arm in enumerate(order, start=1)]


def _williams_row(size: int, shift: int) -> list[int]:
    """0, 1, n-1, 2, n-2, ... shifted round the circle."""
    zigzag = [(i + 1) // 2 if i % 2 else (size - i // 2) % size for i in range(size)]
    return [(index + shift) % size for index in zigzag]
