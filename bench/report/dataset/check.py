"""Is a data set what its runs give? Every row is computed anew, and nothing that a run says is believed.

    rows            equal those computed from the raw readings and the records beside them
    place           the folders say what the rows say
    time            the readings tile it: none told twice, none displaced, none missing without a reason
    windows         they lie one after the other, and their requests fill them
    self-test       every rail of the meter answered, by the readings of the windows of its loads
    blocks          each has every window of its plan, and none is left out
    A/A             the baseline was held against itself on every backend
    bandwidth       no chip reads faster than its memory
    answers         the same weights, prompts and versions give the same tokens on one chip, and a prompt
                    has answers of one length
    readings        none of them stand in another run

What fails one of these is wrong, or was made up. What is `weak` may be true, but no claim rests on it: not a
measurement, a grade below 2, fewer than five blocks, on battery, or with the chip slowed down.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.effect import FEWEST_BLOCKS
from analysis.words import counted, listed
from bench.errors import UserError
from bench.report.dataset.alone import CheckFailed, doubts_of
from bench.report.dataset.folder import read_file, read_rows, run_files
from bench.report.dataset.rows import Row, place_of, rows_of
from bench.report.story import Story
from energy import cache as energy_cache
from energy.base import EnergyError

if TYPE_CHECKING:
    import pyarrow as pa

CLAIM_GRADE = 2
_EQUAL = 1e-9
"""Relative: another machine may round a sum otherwise."""
_ALIKE = ("backend", "gate", "asked", "weights_sha256", "prompts_sha256", "chip", "gpu_cores")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One run of a data set."""

    run: str
    file: Path
    failed: tuple[CheckFailed, ...]
    weak: tuple[str, ...]
    """Why no claim rests on it although nothing is wrong with it."""


def check(dataset: Path, only: Sequence[str] = ()) -> Iterator[Checked]:
    """Check the runs of a data set, one after the other.

    Args:
        dataset: its folder.
        only: names of runs; without, all. They are compared with all others all the same.

    Raises:
        UserError: not a data set, a damaged file of it, or no such run.
    """
    files = run_files(dataset)
    unknown = set(only) - {file.stem for file in files}
    if unknown:
        raise UserError(f"no run {min(unknown)} in {dataset}", fix="name those that bench data query shows")
    among = _among(_compared(read_rows(dataset)))
    for file in files:
        if not only or file.stem in only:
            yield _checked(dataset, file, among)


def _checked(dataset: Path, file: Path, among: Mapping[str, list[CheckFailed]]) -> Checked:
    stored = read_file(file).to_pylist()
    doubts = list(among.get(file.stem, ()))
    weak: tuple[str, ...] = ()
    try:
        with _left_as_it_was(file.with_suffix("")) as folder:
            story = Story.of(folder)
            rows = rows_of(story)
        place = place_of(rows)
    except (UserError, EnergyError) as error:
        doubts.insert(0, CheckFailed(check="rows", found=f"they can't be computed: {error}"))
    else:
        doubts = [
            *_rows(stored, rows),
            *_place(dataset, file, place),
            *doubts_of(story.readback, rows),
            *doubts,
        ]
        weak = tuple(_weak(rows))
    return Checked(run=file.stem, file=file, failed=tuple(doubts), weak=weak)


@contextmanager
def _left_as_it_was(folder: Path) -> Iterator[Path]:
    """A run folder, from which what reading it has decoded is taken out again."""
    before = set(folder.rglob(energy_cache.KEPT))
    try:
        yield folder
    finally:
        for file in set(folder.rglob(energy_cache.KEPT)) - before:
            file.unlink()


def _rows(stored: Sequence[Row], computed: Sequence[Row]) -> Iterator[CheckFailed]:
    """Where the rows are not those that the run gives."""
    if len(stored) != len(computed):
        found = f"{counted(len(stored), 'configuration')} stored, {len(computed)} computed"
        yield CheckFailed(check="rows", found=found)
        return
    for told, made in zip(stored, computed, strict=True):
        differing = [name for name in made | told if not _same(told.get(name), made.get(name))]
        if differing:
            values = [
                f"{name} {_short(told.get(name))}, computed {_short(made.get(name))}" for name in differing
            ]
            more = f", and {len(values) - 3} more" if len(values) > 3 else ""
            yield CheckFailed(check="rows", found=f"{made['configuration']}: {'; '.join(values[:3])}{more}")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=_EQUAL, abs_tol=0.0)
    return bool(one == other)


def _short(value: Any) -> str:
    text = "not there" if value is None else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"


def _place(dataset: Path, file: Path, place: Path) -> Iterator[CheckFailed]:
    told = file.parent.relative_to(dataset)
    if told != place:
        yield CheckFailed(check="place", found=f"it stands under {told}, but belongs under {place}")


def _weak(rows: Sequence[Row]) -> Iterator[str]:
    kinds = sorted({row["kind"] for row in rows} - {"measured"})
    if kinds:
        yield f"joules are {listed(kinds)}"
    else:
        grade = min(row["grade"] or 0 for row in rows)
        if grade < CLAIM_GRADE:
            yield f"grade {grade}, below {CLAIM_GRADE}"
    blocks = max(row["blocks"] for row in rows)
    if blocks < FEWEST_BLOCKS:
        yield f"{counted(blocks, 'block')}, fewer than {FEWEST_BLOCKS}"
    if rows[0]["power_source"] not in (None, "ac"):
        yield f"on {rows[0]['power_source']} power"
    if rows[0]["power_mode"] == "low":
        yield "in low power mode"


def _compared(rows: pa.Table) -> list[Row]:
    """What runs are compared by."""
    versions = [name for name in rows.column_names if name.endswith("_version")]
    names = {*_ALIKE, *versions, "run", "started_utc", "configuration", "tokens_sha256", "stream_marks"}
    compared: list[Row] = rows.select(sorted(names)).to_pylist()
    return compared


def _among(rows: Sequence[Row]) -> dict[str, list[CheckFailed]]:
    """Checks of runs against each other, by run."""
    doubts: dict[str, list[CheckFailed]] = defaultdict(list)
    for run, doubt in (*_answers(rows), *_readings(rows)):
        if doubt not in doubts[run]:
            doubts[run].append(doubt)
    return doubts


def _answers(rows: Sequence[Row]) -> Iterator[tuple[str, CheckFailed]]:
    """Runs whose tokens are not those that most runs of the same work have."""
    alike: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        versions = [
            row[name] for name in sorted(row) if name.endswith("_version") and name != "schema_version"
        ]
        alike[json.dumps([*(row[name] for name in _ALIKE), versions])].append(row)
    for group in alike.values():
        ranked = Counter(row["tokens_sha256"] for row in group).most_common(2)
        if len(ranked) == 1:
            continue
        is_tie = ranked[0][1] == ranked[1][1]  # of two runs nobody can say which one is right
        for row in group:
            if is_tie or row["tokens_sha256"] != ranked[0][0]:
                found = f"{row['configuration']} has other tokens than most runs of the same work"
                yield row["run"], CheckFailed(check="answers", found=found)


def _readings(rows: Sequence[Row]) -> Iterator[tuple[str, CheckFailed]]:
    """Runs with readings that a run which started earlier has."""
    first: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (row["started_utc"], row["run"])):
        for mark in row["stream_marks"]:
            owner = first.setdefault(mark, row)["run"]
            if owner != row["run"]:
                yield row["run"], CheckFailed(check="readings", found=f"they stand in {owner} too")
