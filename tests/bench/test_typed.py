"""`from_json` and `to_json`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends.cut import Cut
from bench.typed import from_json, loads, to_json


@dataclass(frozen=True, kw_only=True)
class Inner:
    ids: tuple[int, ...]
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: dict[str, Inner]
    cut: Cut
    folder: Path | None
    value: float


OUTER = Outer(
    inner={"a": Inner(ids=(1, 2))}, cut=Cut(drop_attention=(1,)), folder=Path("models/x"), value=-float("inf")
)


def test_what_was_written_is_read_back_through_the_text_of_a_line() -> None:
    assert from_json(Outer, json.loads(json.dumps(to_json(OUTER)))) == OUTER


def test_a_key_of_a_newer_version_is_passed_over_and_a_missing_one_takes_its_default() -> None:
    assert from_json(Inner, {"ids": [1], "of tomorrow": 3}) == Inner(ids=(1,), note=None)


@pytest.mark.parametrize(
    ("kind", "value", "where"),
    [
        (Inner, {}, "ids"),
        (Inner, {"ids": ["x"]}, "ids.0"),
        (Outer, {**to_json(OUTER), "inner": {"a": {}}}, "inner.a.ids"),
        (Inner, 3, "the whole"),
    ],
)
def test_an_error_names_the_field(kind: type, value: Any, where: str) -> None:
    with pytest.raises(ValueError, match=rf"^{where}: "):
        from_json(kind, value)


@pytest.mark.parametrize("text", [b"[NaN]", b"[-Infinity]", b"[1e999]", b"[" * 200_000, b"[\xff]", b"{"])
def test_what_is_no_number_or_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        loads(text)
    assert loads(b'[1e308, "NaN", null]') == [1e308, "NaN", None]
