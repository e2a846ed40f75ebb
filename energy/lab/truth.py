"""The exact joules of a simulated meter, kept beside its stream so that a measurement can be marked.

The file is text: a heading `time_s` and `<rail>_j` separated by tabs, then one line every ten milliseconds
or so with the harness time and the joules since the start. Between two lines power is constant.
"""

from __future__ import annotations

from pathlib import Path
from typing import TextIO


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
