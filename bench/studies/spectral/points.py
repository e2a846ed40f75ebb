"""Does lambda2 of a prompt go with lambda11 of a model's hidden states? Points, measured or from a CSV file.

A point is one prompt: its residue and lambda2 from the token ids, its spectrum from one forward. What the
points say is computed by `analysis`, from the same rows whether they were measured here or read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isqrt
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.published.every_claim import MODULI
from analysis.rows import SpectralPoint, rows_from_columns
from analysis.spectral import spectrum
from analysis.spectral_controls import Controls, controls
from analysis.study import Association, Confounding, associations, confounders
from analysis.values import Withheld
from bench.errors import UserError, nearest
from bench.run.workers.messages import Message
from bench.show.files import csv_text
from bench.studies.spectral.study_prompts import SpectralPrompt
from bench.suite.gates.fingerprint import connectivity, residue, sum_of_squares

MODULUS = 24
RELABELLINGS = 500
FEWEST_TOKENS = 12
"""Centring takes one dimension: of eleven tokens the 11th eigenvalue is nothing but the ridge."""
CSV_COLUMNS = ("set", *(field.name for field in fields(SpectralPoint)))


class Encoder(Protocol):
    """What of a backend is needed here."""

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`."""

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Hidden states after the final norm, shape (len(ids), width)."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Rows of one arm."""

    arm: str
    points: list[SpectralPoint]
    """With repeats, as they are counted."""
    prompts: int
    """Distinct prompts that were asked for."""
    ids: dict[str, list[int]] | None
    """Token ids by prompt; None where the points come from a file."""
    vocabulary: int | None


@dataclass(frozen=True, kw_only=True)
class PointsTaken:
    """A worker's answer, in the order of the prompts."""

    ids: list[list[int]]
    """Token ids."""
    points: list[SpectralPoint | None]
    """None for a prompt that has no spectrum."""


@dataclass(frozen=True, kw_only=True)
class AskPoints(Message[PointsTaken]):
    """Points of some prompts on a loaded model."""

    model: str
    prompts: list[SpectralPrompt]


@dataclass(frozen=True, kw_only=True)
class ArmStudy:
    """What the rows of one arm and one model say."""

    arm: str
    model: str
    prompts: int
    left_out: int
    """Prompts without a spectrum: fewer than twelve tokens, or fewer than they were to be cut to."""
    distinct_prompts: int
    associations: tuple[Association, ...]
    confounders: tuple[Confounding, ...]
    controls: Controls


def ids_of(backend: Encoder, prompt: SpectralPrompt) -> list[int]:
    """Token ids of a prompt, cut if it is to be cut."""
    return backend.encode(prompt.text)[: prompt.tokens]


def point_of(backend: Encoder, prompt: SpectralPrompt, ids: list[int], *, model: str) -> SpectralPoint | None:
    """The point of one prompt; None where it is too short."""
    if len(ids) < (prompt.tokens or FEWEST_TOKENS):
        return None
    spectra = spectrum(backend.hidden(ids))
    if isinstance(spectra, Withheld):
        return None
    squares = sum_of_squares(ids)
    return SpectralPoint(
        prompt=prompt.id,
        model=model,
        prompt_tokens=len(ids),
        residue=residue(squares, MODULUS),
        lambda2=connectivity(residue(squares, MODULUS), MODULUS),
        mean_id=sum(ids) / len(ids),
        log_norm=float(np.log(squares) / 2),
        whole_norm=isqrt(squares),
        **asdict(spectra),
    )


def judge_arm(measured: Measured) -> list[ArmStudy]:
    """Table 1, the confounders and the controls of one arm, a study for each model in it."""
    models = sorted({point.model for point in measured.points})
    return [_judge_model(measured, model) for model in models]


def _judge_model(measured: Measured, model: str) -> ArmStudy:
    points = [point for point in measured.points if point.model == model]
    distinct = len({point.prompt for point in points})
    tables = {m: {n: x for n in range(m) if (x := connectivity(n, m)) is not None} for m in MODULI}
    return ArmStudy(
        arm=measured.arm,
        model=model,
        prompts=measured.prompts,
        left_out=measured.prompts - distinct,
        distinct_prompts=distinct,
        associations=associations(points),
        confounders=confounders(points),
        controls=controls(points, tables, _relabelled_norms(measured, points)),
    )


def _relabelled_norms(measured: Measured, points: Sequence[SpectralPoint]) -> NDArray[np.int64] | None:
    """Floor of |x| under random relabellings of the vocabulary, shape (RELABELLINGS, points)."""
    if measured.ids is None or measured.vocabulary is None:
        return None
    rows = [measured.ids[point.prompt] for point in points]
    ends = np.cumsum([0, *(len(row) for row in rows)])[:-1]
    flat = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
    chance = np.random.default_rng(0)
    squares = [
        np.add.reduceat(chance.permutation(measured.vocabulary)[flat] ** 2, ends) for _ in range(RELABELLINGS)
    ]
    # exact: sums of squares of ids stay far below 2**52, where a double still tells whole roots apart
    return np.asarray(np.floor(np.sqrt(np.array(squares))), dtype=np.int64)


def to_csv(measured: Sequence[Measured]) -> str:
    """All points, one a line; what is not known is empty."""
    return csv_text(
        CSV_COLUMNS, ({"set": one.arm, **asdict(point)} for one in measured for point in one.points)
    )


def from_csv(file: Path, *, arms: Sequence[str] | None = None) -> list[Measured]:
    """Points that were extracted before, here or by another tool.

    The columns `prompt`, `model`, `prompt_tokens`, `residue`, `lambda2` and `lambda11` are needed.

    Args:
        file: the CSV.
        arms: take only these of its arms.

    Raises:
        UserError: the file can't be read, lacks a column, or has no such arm.
    """
    import pandas as pd

    try:
        table = pd.read_csv(file, dtype={"prompt": str, "model": str})
    except (OSError, ValueError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"can't read the points in {file} ({why})",
            fix="give a CSV that was written by: bench spectral --csv",
        ) from None
    named = next(
        (table[name] for name in ("set", "arm") if name in table), pd.Series("csv", index=table.index)
    )
    for arm in arms or ():
        if arm not in set(named):
            raise UserError(f"{file} has no set {arm!r}", fix=nearest(arm, map(str, named.unique())))
    arms_measured = []
    for arm in arms or named.unique():
        mine = table[named == arm]
        points = rows_from_columns(SpectralPoint, {str(name): mine[name].tolist() for name in mine})
        if isinstance(points, Withheld):
            raise UserError(
                f"{file}: {points.reason}", fix="give a CSV that was written by: bench spectral --csv"
            )
        prompts = len({point.prompt for point in points})
        arms_measured.append(
            Measured(arm=str(arm), points=points, prompts=prompts, ids=None, vocabulary=None)
        )
    if not arms_measured:
        raise UserError(f"{file} holds no points: only a line of column names")
    return arms_measured
