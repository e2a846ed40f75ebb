"""The file that says what is isolated: cells of a backend, a model and a precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bench.errors import UserError, nearest
from bench.suite.config import Energy
from bench.suite.reading import text_of, toml_of
from bench.suite.suite_file import find_suite, invalid

QUANTISED = {"8bit": 8, "4bit": 4}
"""Precisions that are no dtype: the float32 weights in so many bits."""


class CellPlan(BaseModel):
    """One cell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str
    model: str
    precision: str = Field(default="float32", min_length=1)
    """8bit, 4bit, or a dtype of the backend."""

    @field_validator("precision")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.endswith("bit") and value not in QUANTISED:
            raise ValueError(f"precision = {value!r}; give 8bit, 4bit, or a dtype of the backend")
        return value

    @property
    def dtype(self) -> str:
        """What the weights are loaded as."""
        return "float32" if self.precision in QUANTISED else self.precision

    @property
    def cut(self) -> dict[str, Any]:
        """What quantises them."""
        bits = QUANTISED.get(self.precision)
        return {"weight_bits": bits} if bits else {}


class IsolateSuite(BaseModel):
    """The file that says what is isolated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    window_s: float = Field(default=1.1, gt=0)
    rounds: int = Field(default=4, ge=2)
    stream_bytes: int = Field(default=1_000_000_000, ge=1_000_000)
    cells: tuple[CellPlan, ...] = Field(min_length=1)
    energy: Energy = Energy()


def load(name: str) -> IsolateSuite:
    """Read a suite file, or one that comes along by its short name.

    Raises:
        UserError: it can't be read or is not such a suite.
    """
    file = find_suite(name)
    text = text_of(file, what="the suite", fix="the bundled one is: isolate")
    try:
        return IsolateSuite.model_validate(toml_of(text, file=file))
    except ValidationError as error:
        raise invalid(f"{file}", error, IsolateSuite) from None


def narrow(suite: IsolateSuite, *, backends: Sequence[str] | None, rounds: int | None) -> IsolateSuite:
    """The suite with the choices of the command line.

    Raises:
        UserError: no cell is left, or too few rounds.
    """
    known = {cell.backend for cell in suite.cells}
    for backend in backends or ():
        if backend not in known:
            raise UserError(f"the suite has no cell of backend {backend!r}", fix=nearest(backend, known))
    if rounds is not None and rounds < 2:
        raise UserError(f"rounds = {rounds}", fix="give 2 or more, which an interval needs")
    cells = tuple(cell for cell in suite.cells if not backends or cell.backend in backends)
    return suite.model_copy(update={"cells": cells, "rounds": rounds or suite.rounds})
