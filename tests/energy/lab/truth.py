"""The exact joules beside a stand-in's stream, read back to mark what was measured through it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Truth:
    """Joules since the start, shape (n, rails), at instants of the harness clock, shape (n,)."""

    rails: tuple[str, ...]
    time_s: NDArray[np.float64]
    joules: NDArray[np.float64]

    def joules_between(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Exact joules of each rail between two instants, shape (rails,); NaN outside the simulation."""
        ends = [
            np.interp([start_s, end_s], self.time_s, column, left=np.nan, right=np.nan)
            for column in self.joules.T
        ]
        return np.array([end[1] - end[0] for end in ends])


def read_truth(path: Path) -> Truth:
    """Read a truth file; a last line that was cut short is left out."""
    heading, _, body = path.read_text(encoding="ascii").partition("\n")
    rails = tuple(name.removesuffix("_j") for name in heading.split("\t")[1:])
    lines = [line.split("\t") for line in body[: body.rfind("\n") + 1].splitlines()]
    table = np.array([line for line in lines if len(line) == len(rails) + 1], dtype=np.float64)
    table = table.reshape(-1, len(rails) + 1)
    return Truth(rails, table[:, 0], table[:, 1:])
