"""Values from JSON <-> the dataclass that they were written from, checked field by field.

A key that the class does not know is passed over: a newer program may have added it. A key that is missing
takes the default of its field, so a field that was added later needs one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is no number that can be reckoned with")
    return number


_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def loads(text: bytes) -> Any:
    """JSON as its standard has it: NaN, Infinity and numbers that are read as infinite are refused.

    Raises:
        ValueError: it is no such JSON, not UTF-8, or nested too deep.
    """
    try:
        return _JSON.decode(text.decode())
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def from_json(kind: type[T], value: Any) -> T:
    """An instance of `kind`, a dataclass or pydantic model, dataclasses within it included.

    Raises:
        ValueError: the value is not one of these; the message names the field.
    """
    try:
        return cast(T, _adapter(cast(Hashable, kind)).validate_python(value))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{where}: {first['msg']}") from None


def to_json(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object, pydantic models and paths within it included."""
    return cast(dict[str, Any], _adapter(cast(Hashable, type(value))).dump_python(value, mode="json"))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
