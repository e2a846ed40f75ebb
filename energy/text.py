"""The text form of powermetrics, for streams that were recorded by older tools.

It prints whole milliwatts where the plist prints millijoules, so a reading's joules are power times the
interval that the same heading states, and are rounded to half a milliwatt of it.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

from energy.base import DocumentError, Reading

HEADING = b"*** Sampled system activity ("
_HEADING = re.compile(rb"\*\*\* Sampled system activity \(([^)]*)\) \(([0-9.]+)ms elapsed\) \*\*\*")
_POWER = re.compile(rb"^(CPU|GPU|ANE|DRAM|Package) Power: ([0-9.]+) mW\s*$", re.MULTILINE)
_CORE = re.compile(rb"^CPU \d+ active residency:\s+([0-9.]+)%", re.MULTILINE)
_GPU = re.compile(rb"^GPU (?:HW )?active residency:\s+([0-9.]+)%", re.MULTILINE)


def parse_text(block: bytes) -> Reading:
    """Read one sample of the text form, from its heading to the next.

    Raises:
        DocumentError: no heading, or an interval that can't be true.
    """
    heading = _HEADING.search(block)
    if heading is None:
        raise DocumentError(f"no sample heading in {block[:40]!r}")
    elapsed_s = _number(heading[2]) / 1e3
    if not elapsed_s > 0:
        raise DocumentError(f"sample of {elapsed_s} s")
    return Reading(
        elapsed_s=elapsed_s,
        joules={m[1].decode().lower(): _number(m[2]) / 1e3 * elapsed_s for m in _POWER.finditer(block)},
        timestamp_s=_timestamp_s(heading[1]),
        active_s=_active_s(block, elapsed_s),
    )


def split_text(stream: bytes) -> list[bytes]:
    """The samples in a text stream; what precedes the first heading is no sample."""
    return [HEADING + rest for rest in stream.split(HEADING)[1:]]


def _number(digits: bytes) -> float:
    try:
        number = float(digits)
    except ValueError as error:
        raise DocumentError(f"not a number: {digits[:40]!r}") from error
    if not math.isfinite(number):
        raise DocumentError(f"not a finite number: {digits[:40]!r}")
    return number


def _timestamp_s(label: bytes) -> float | None:
    """POSIX time of a label such as `Fri Nov 10 12:37:08 2023 +0100`."""
    try:
        return datetime.strptime(label.decode(), "%a %b %d %H:%M:%S %Y %z").timestamp()
    except ValueError:
        return None


def _active_s(block: bytes, elapsed_s: float) -> dict[str, float]:
    cores = [_number(match[1]) for match in _CORE.finditer(block)]
    gpu = _GPU.search(block)
    active = {"cpu": elapsed_s * sum(cores) / 100} if cores else {}
    if gpu is not None:
        active["gpu"] = elapsed_s * _number(gpu[1]) / 100
    return active
