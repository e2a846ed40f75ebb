"""How parsing grows with its input, and how long the published claims take to judge: both in one run.

    python -m benchmarks.parsing

Every row doubles the length of a document that is meant to be dear to parse. Ratios that stay about two are
a time in proportion to the bytes; about four, from row to row, its square, and a meter could stall its
reader. Times of a few milliseconds say nothing: they are those of memory.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from bench.studies.claims.reproduce import reproduce
from energy.base import EnergyError
from energy.plist import parse
from energy.text import parse_text

MIB = 2**20
LENGTHS = (MIB, 2 * MIB, 4 * MIB)
DOCUMENTS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "openings without an end": (parse, b"<key>dvfm_states</key><array>"),
    "arrays in arrays": (parse, b"<array>"),
    "dictionaries in dictionaries": (parse, b"<dict><key>a</key>"),
    "keys without values": (parse, b"<key>elapsed_ns</key>"),
    "text: lines without a number": (parse_text, b"CPU Power: \n"),
}


def main() -> None:
    """Print a row per document and length, and the seconds of the table of claims."""
    table = Table("document", "MiB", "seconds", "ratio")
    for name, (read, piece) in DOCUMENTS.items():
        before_s: float | None = None
        for length in LENGTHS:
            took_s = _fastest_s(read, b"<plist>" + piece * (length // len(piece)))
            ratio = None if before_s is None else took_s / before_s
            table.add_row(name, f"{length / MIB:g}", f"{took_s:.3f}", "" if ratio is None else f"{ratio:.2f}")
            before_s = took_s
    terminal = Console(width=100)
    terminal.print(table)
    begin_s = time.perf_counter()
    claims = len(reproduce())
    terminal.print(f"{claims} published claims judged in {time.perf_counter() - begin_s:.1f} s")


def _fastest_s(read: Callable[[bytes], object], content: bytes, *, times: int = 3) -> float:
    """The shortest of a few: what disturbs a time only makes it longer."""
    taken_s = []
    for _ in range(times):
        begin_s = time.perf_counter()
        with contextlib.suppress(EnergyError):
            read(content)
        taken_s.append(time.perf_counter() - begin_s)
    return min(taken_s)


if __name__ == "__main__":
    main()
