"""Put runs into a data set: the rows of each, and beside them the files that they are computed from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report.dataset.folder import read_rows
from bench.report.dataset.rows import Row, place_of, rows_of, schema
from bench.report.export.collect import run_folders
from bench.report.story import Story
from bench.run.store import PROMPTS, RECORDS
from bench.show.files import together
from energy.packing import PACKED, RAW, pack
from energy.recording import INDEX

KEPT = ("run.json", PROMPTS, RECORDS, RAW, PACKED, INDEX)
"""Files that the rows are computed from, at any depth of a run folder; logs, pages and caches are not."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What became of a run."""

    run: str
    file: Path | None
    """Of its rows; None where it was left out."""
    why_not: str | None = None


def add(folders: Sequence[Path], dataset: Path) -> Iterator[Added]:
    """Put runs into a data set, one after the other; each is in it whole or not at all.

    Args:
        folders: run folders, or folders of run folders.
        dataset: its folder; it is made.

    Raises:
        UserError: no run folder, a run that can't be read, or a place that can't be written.
        EnergyError: a raw stream can't be read.
    """
    known = _known_marks(dataset)
    for folder in run_folders(folders):
        rows = rows_of(Story.of(folder))
        run, place = str(rows[0]["run"]), dataset / place_of(rows)
        taken_from = {known[mark] for mark in rows[0]["stream_marks"] if mark in known}
        if taken_from:
            there = "it is there already" if run in taken_from else f"it has readings of {min(taken_from)}"
            yield Added(run=run, file=None, why_not=there)
            continue
        if (place / f"{run}.parquet").exists():
            yield Added(run=run, file=None, why_not="it is there already")
            continue
        _write(folder, rows, place)
        known |= dict.fromkeys(rows[0]["stream_marks"], run)
        yield Added(run=run, file=place / f"{run}.parquet")


def _known_marks(dataset: Path) -> dict[str, str]:
    """Mark of a stream -> the run that has it."""
    if not dataset.exists() or not any(dataset.glob("[!.]*")):
        return {}
    rows = read_rows(dataset).select(["run", "stream_marks"]).to_pylist()
    return {mark: row["run"] for row in rows for mark in row["stream_marks"]}


def _write(folder: Path, rows: Sequence[Row], place: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = str(rows[0]["run"])
    with together(place, last=f"{run}.parquet", instead="choose another data set with --to") as staging:
        for file in sorted(file for file in folder.rglob("*") if file.name in KEPT):
            copy = staging / run / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy, follow_symlinks=False)
        for raw in list((staging / run).rglob(RAW)):
            pack(raw.parent)
        table = pa.Table.from_pylist(list(rows), schema=schema(rows[0]))
        pq.write_table(table, staging / f"{run}.parquet", compression="zstd")
