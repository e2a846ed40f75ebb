"""The text form of powermetrics, for streams that were recorded by older tools.

It prints whole milliwatts where the plist prints millijoules, so a reading's joules are power times the
interval that the same heading states, and are rounded to half a milliwatt of it. An Intel Mac prints watts
of the package alone; some locales print a decimal comma.

Logs end with a summary whose averages look like figures of a sample: of each rail the first line counts.
Newer releases print `GPU Power` twice, once by each of two samplers; the one that adds up to the printed
`Combined Power` is right.
"""

from __future__ import annotations

import math
import re
from datetime import datetime

from energy.base import DocumentError, Reading

HEADING = b"*** Sampled system activity ("
_HEADING = re.compile(rb"\*\*\* Sampled system activity \(([^)]*)\) \(([0-9.,]+)ms elapsed\) \*\*\*")
_SUMMARY = re.compile(rb"^\W*summary\b", re.MULTILINE | re.IGNORECASE)
_POWER = re.compile(
    rb"^(CPU|GPU|ANE|DRAM|Package|Combined) Power(?: \([^)\n]*\))?: ([0-9.,]+) (m?)W\s*$", re.MULTILINE
)
_INTEL = re.compile(rb"^Intel energy model derived package power[^:\n]*: ([0-9.,]+) ?(m?)W\s*$", re.MULTILINE)
_CORE = re.compile(rb"^CPU \d+ active residency:\s+([0-9.,]+)%", re.MULTILINE)
_GPU = re.compile(rb"^GPU (?:HW )?active residency:\s+([0-9.,]+)%", re.MULTILINE)


def parse_text(block: bytes) -> Reading:
    """Read one sample of the text form, from its heading to the next.

    Raises:
        DocumentError: no heading, an interval that can't be true, or no power in it.
    """
    heading = _HEADING.search(block)
    if heading is None:
        raise DocumentError(f"no sample heading in {block[:40]!r}")
    elapsed_s = _number(heading[2]) / 1e3
    if not elapsed_s > 0:
        raise DocumentError(f"sample of {elapsed_s} s")
    block = _SUMMARY.split(block, maxsplit=1)[0]
    watts = _watts(block)
    if not watts:
        raise DocumentError(f"the sample of {heading[1].decode(errors='replace')} holds no power")
    return Reading(
        elapsed_s=elapsed_s,
        joules={rail: power_w * elapsed_s for rail, power_w in watts.items()},
        timestamp_s=_timestamp_s(heading[1]),
        active_s=_active_s(block, elapsed_s),
    )


def split_text(stream: bytes) -> list[bytes]:
    """The samples in a text stream; what precedes the first heading is no sample."""
    return [HEADING + rest for rest in stream.split(HEADING)[1:]]


def _watts(block: bytes) -> dict[str, float]:
    """Watts by rail."""
    lines: dict[str, list[float]] = {}
    for name, digits, milli in _POWER.findall(block):
        lines.setdefault(name.decode().lower(), []).append(_number(digits) * (1e-3 if milli else 1.0))
    for digits, milli in _INTEL.findall(block):
        lines.setdefault("package", []).append(_number(digits) * (1e-3 if milli else 1.0))
    combined = lines.pop("combined", [])
    watts = {rail: values[0] for rail, values in lines.items()}
    if combined and "gpu" in lines:
        rest_w = watts.get("cpu", 0.0) + watts.get("ane", 0.0)
        watts["gpu"] = min(lines["gpu"], key=lambda gpu_w: abs(rest_w + gpu_w - combined[0]))
    return watts


def _number(digits: bytes) -> float:
    try:
        number = float(digits.replace(b",", b"."))
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
