"""`--cut KEY=VALUE` of the command line -> a cut, or the points of a sweep.

    kv_keep=0.5              one value
    kv_keep=0.1:1.0:0.1      a range: from, to (included), step
    weight_bits=16/8/4       several values
    drop_mlp=20,21/20,21,22  several lists of layers
    flatten.mlp_keep=0.5     one value of a cut whose value is a table

Given for several keys, the values compose; a sweep has a point for every combination.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product

from pydantic import ValidationError

from backends.added import added_cut
from backends.cut import Cut
from backends.cut_keys import DROPS, added_keys
from bench.errors import UserError, nearest
from bench.suite.suite_file import invalid

MOST_POINTS = 200
MOST_SWEPT = 2
FILE = ".text"
"""What the name of a key ends with whose value is a file, in whose name a slash separates folders."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One combination of values."""

    label: str
    """What was typed, such as `kv_keep=0.5 mlp_keep=0.75`."""
    cut: Cut


@dataclass(frozen=True, kw_only=True)
class Points:
    """A sweep: every combination of the values of one or two keys."""

    swept: tuple[str, ...]
    """Keys with several values; all keys where none has several."""
    points: tuple[Point, ...]


def one_cut(texts: Sequence[str]) -> Cut:
    """The cut that all of `texts` describe together.

    Raises:
        UserError: a key is unknown or given twice, or a value is out of range.
    """
    points = points_of(texts).points
    if len(points) > 1:
        raise UserError(
            f"--cut {' '.join(texts)} gives {len(points)} cuts", fix="give one, or use: bench sweep"
        )
    return points[0].cut


def points_of(texts: Sequence[str]) -> Points:
    """Every combination of the values in `texts`, in the order they were typed.

    Raises:
        UserError: as for `one_cut`; or more than two keys are swept, or there are too many points.
    """
    values = _by_key(texts)
    swept = tuple(key for key, some in values.items() if len(some) > 1)
    if len(swept) > MOST_SWEPT:
        raise UserError(
            f"{', '.join(swept)} have several values each", fix=f"sweep {MOST_SWEPT} of them at most"
        )
    points = [_point(dict(zip(values, chosen, strict=True))) for chosen in product(*values.values())]
    if len(points) > MOST_POINTS:
        raise UserError(f"{len(points)} points are too many (at most {MOST_POINTS})", fix="take larger steps")
    return Points(swept=swept or tuple(values), points=tuple(points))


def strength(cut: Cut, key: str, *, layers: int, loaded_bits: int) -> float | None:
    """The fraction that `cut` keeps of what `key` cuts; None where it is not a matter of fractions.

    Args:
        cut: the cut.
        key: one of its fields.
        layers: of the model.
        loaded_bits: bits of a weight, and of a number of the cache, as loaded.
    """
    if key in ("kv_keep", "mlp_keep"):
        return float(getattr(cut, key))
    if key in DROPS:
        return 1 - len(getattr(cut, key)) / layers
    if key in ("weight_bits", "kv_bits", "kv_bits_k", "kv_bits_v"):
        return (getattr(cut, key) or loaded_bits) / loaded_bits
    if key in (cut.model_extra or {}):
        return added_cut(key, getattr(cut, key))[1].kept_share(layers)
    return None


def checked_cut(values: dict[str, object]) -> Cut:
    """The cut with these values.

    Raises:
        UserError: one of them is out of range.
    """
    try:
        return Cut.model_validate(values)
    except ValidationError as error:
        raise invalid("--cut", error) from None


def _point(values: dict[str, str]) -> Point:
    given: dict[str, object] = {}
    for key, value in values.items():
        listed = value.split(",") if key in DROPS or "," in value else value
        head, dot, inner = key.partition(".")
        table = given.setdefault(head, {}) if dot else given
        if not isinstance(table, dict) or (not dot and head in given):
            raise UserError(
                f"--cut {head} and {head}.{inner or '...'}: one is a table", fix="give its keys only"
            )
        table[inner or head] = listed
    label = " ".join(f"{key}={value}" for key, value in values.items())
    return Point(label=label, cut=checked_cut(given))


def _by_key(texts: Sequence[str]) -> dict[str, list[str]]:
    if not texts:
        raise UserError("no cut is given", fix="add one, such as --cut kv_keep=0.5")
    values: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not value:
            raise UserError(f"--cut {text} sets nothing", fix="write KEY=VALUE, such as kv_keep=0.5")
        known = [*Cut.model_fields, *added_keys()]
        if key.partition(".")[0] not in known:
            raise UserError(f"--cut {text}: unknown key {key!r}", fix=nearest(key, known))
        if key in values:
            raise UserError(f"--cut {text}: {key} is given twice", fix="separate its values by a slash")
        parts = [value] if key.endswith(FILE) else value.split("/")
        values[key] = [one for part in parts for one in _expanded(text, part)]
    return values


def _expanded(text: str, part: str) -> list[str]:
    """The values of `START:STOP:STEP`, exact in decimals; or the value itself."""
    if ":" not in part:
        return [part]
    try:
        start, stop, step = (Decimal(number) for number in part.split(":"))
        steps = (stop - start) / step
    except (ValueError, InvalidOperation, ZeroDivisionError):
        raise UserError(f"--cut {text} is no range", fix="write FROM:TO:STEP, such as 0.1:1.0:0.1") from None
    if not 0 <= steps <= MOST_POINTS:
        raise UserError(
            f"--cut {text}: the steps lead nowhere, or make over {MOST_POINTS} points", fix="choose others"
        )
    return [f"{(start + n * step).normalize():f}" for n in range(int(steps) + 1)]
