"""The exact joules of a simulated meter, kept beside its stream so that a measurement can be marked.

The file is text: a heading `time_s` and `<rail>_j` separated by tabs, then one line every ten milliseconds
or so with the harness time and the joules since the start. Between two lines power is constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray


class TruthWriter:
    """Writes a truth file as power is simulated."""

    def __init__(self, path: Path, rails: tuple[str, ...]) -> None:
        self._file: TextIO = path.open("a", encoding="ascii")
        if self._file.tell() == 0:
            self._file.write("\t".join(["time_s", *(f"{rail}_j" for rail in rails)]) + "\n")

    def add(self, time_s: float, joules: tuple[float, ...]) -> None:
        """Note the joules of all rails up to an instant."""
        self._file.write("\t".join(f"{value:.9f}" for value in (time_s, *joules)) + "\n")

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


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
