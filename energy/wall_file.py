"""The CSV of an external meter: which column is power, and in what unit."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.base import SourceUnavailable

Floats = NDArray[np.float64]

LEAST_SAMPLES = 20
EXPECTED = "a heading that names a column of time and one of power is needed, such as: time, power (W)"

TIMES = {"time", "timestamp", "date", "datetime", "seconds", "second", "s", "utc"}
WATTS_PER = {
    **dict.fromkeys(("w", "watt", "watts", "power"), 1.0),
    **dict.fromkeys(("kw", "kilowatt", "kilowatts"), 1e3),
    **dict.fromkeys(("mw", "milliwatt", "milliwatts"), 1e-3),
}
"""Words of a heading that name power, and the watts of one unit. `power` alone is taken for watts."""


@dataclass(frozen=True)
class WallMeter:
    """Samples of an external meter, on its own clock; each is the mean since the one before."""

    time_s: Floats
    watts: Floats


def read_wall(file: Path, *, column: str | None = None) -> WallMeter:
    """Read a CSV with a heading, a column of time (ISO-8601 or seconds) and one of power.

    Args:
        file: the CSV.
        column: heading of the column of power; without, the one column whose heading names power.

    Raises:
        SourceUnavailable: says which line can't be read, which columns there are, or that there are too few.
    """
    heading, *lines = _lines(file)
    time_at, power_at, watts_per_unit = _columns(file, heading, column)
    times, watts = [], []
    for number, cells in enumerate(lines, start=2):
        try:
            times.append(_seconds(cells[time_at]))
            watts.append(float(cells[power_at]) * watts_per_unit)
        except (ValueError, IndexError) as error:
            raise SourceUnavailable(f"{file}, line {number}: not a time and watts: {error}") from error
    meter = WallMeter(np.array(times), np.array(watts))
    if len(times) < LEAST_SAMPLES or not (np.diff(meter.time_s) > 0).all():
        raise SourceUnavailable(f"{file}: {LEAST_SAMPLES} samples in ascending order of time are needed")
    if not (np.isfinite(meter.watts) & (meter.watts >= 0)).all():
        raise SourceUnavailable(f"{file}: watts are not finite and positive throughout")
    return meter


def _lines(file: Path) -> list[list[str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            lines = [cells for cells in csv.reader(text) if cells]
    except OSError as error:
        raise SourceUnavailable(f"{file} can't be read ({error.strerror})", fix=EXPECTED) from error
    except UnicodeDecodeError as error:
        raise SourceUnavailable(f"{file}: byte {error.start} is not UTF-8", fix=EXPECTED) from error
    except (csv.Error, ValueError) as error:  # ValueError: a name that no file can have
        raise SourceUnavailable(f"{file} is no CSV ({error})", fix=EXPECTED) from error
    if not lines or any(_is_number(cell) for cell in lines[0]):
        raise SourceUnavailable(f"{file} has no heading", fix=EXPECTED)
    return lines


def _columns(file: Path, heading: list[str], asked: str | None) -> tuple[int, int, float]:
    """Numbers of the columns of time and power, and the watts of one unit of power."""
    names = [name.strip() for name in heading]
    times = [number for number, name in enumerate(names) if _words(name) & TIMES]
    time_at = times[0] if times else 0
    shown = ", ".join(names)
    if asked is not None:
        if asked not in names:
            raise SourceUnavailable(f"{file} has no column {asked!r}", fix=f"its columns are: {shown}")
        at = names.index(asked)
        return time_at, at, _watts_per_unit(names[at]) or 1.0
    powers = [n for n, name in enumerate(names) if n != time_at and _watts_per_unit(name) is not None]
    if len(powers) != 1:
        which = "none of its columns names power" if not powers else "more than one column names power"
        raise SourceUnavailable(f"{file}: {which} ({shown})", fix="say which it is: --wall-column NAME")
    return time_at, powers[0], _watts_per_unit(names[powers[0]]) or 1.0


def _watts_per_unit(name: str) -> float | None:
    """Watts of one unit of a column; None for a column whose heading does not name power."""
    units = [WATTS_PER[word] for word in _words(name) if word in WATTS_PER]
    return next((unit for unit in units if unit != 1.0), 1.0) if units else None


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower()))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _seconds(text: str) -> float:
    """A time as seconds: a number, or ISO-8601, taken as UTC where it names no zone."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
