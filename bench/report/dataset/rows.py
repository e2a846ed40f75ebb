"""A stored run -> its rows in a data set: the configurations of an export, and what tells it from others."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError
from bench.report.export.schema import SCHEMA_VERSION
from bench.report.export.tables import parquet_schema, tables_of
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.rows import provenance
from bench.report.slots import SlotRead, tokens_of
from bench.report.story import Story
from bench.show.safe_text import storable
from energy.base import Trace

if TYPE_CHECKING:
    import pyarrow as pa

MARK_READINGS = 16
"""Consecutive readings of which a mark is made."""
MARK_EVERY = 32
"""One of so many places in a stream gets a mark, wherever its readings stand."""
_FEWEST_DISTINCT = 8
"""Readings that repeat each other, as those of a machine at rest may, tell no stream from another."""

Row = dict[str, Any]


def rows_of(story: Story) -> list[Row]:
    """The rows of a run, its joules attributed anew from the raw readings.

    Raises:
        UserError: nothing of it counts.
    """
    facts = {key: value for key, value in provenance(story.readback.run.header).items() if key != "suite"}
    marks = sorted(marks_of(story.readback))
    held = {arm_label(arm): story.readback.of_arm(arm) for arm in story.readback.arms}
    names = {key: Path(model.name).name for key, model in story.readback.run.header.models.items()}
    rows = [
        {**row, **facts, **_work(held[row["configuration"]], names), "stream_marks": marks}
        for row in tables_of([story])["configurations"]
    ]
    if not rows:
        folder = story.readback.run.folder
        raise UserError(f"{folder} has no window that counts", fix=f"go on with: bench run --resume {folder}")
    return rows


def schema(names: Iterable[str]) -> pa.Schema:
    """Column types of rows with these columns."""
    import pyarrow as pa

    from bench.report.export.collect import FACT_TYPES

    known = parquet_schema("configurations")
    own = {
        "model": pa.string(),
        "tokens_sha256": pa.string(),
        "decode_bytes_per_s": pa.float64(),
        "stream_marks": pa.list_(pa.string()),
    }
    for name in names:
        if name not in known.names:
            known = known.append(pa.field(name, own.get(name) or FACT_TYPES.get(name, pa.string())))
    return known


def place_of(rows: Sequence[Row]) -> Path:
    """The folder of a run within a data set.

    Raises:
        UserError: its configurations have joules of different boundaries.
    """
    boundaries = sorted({row["boundary"] for row in rows})
    if len(boundaries) > 1:
        raise UserError(
            f"run {rows[0]['run']} has joules of different boundaries: {', '.join(boundaries)}",
            fix="a data set keeps them apart: measure them in runs of their own",
        )
    chip = " ".join(str(fact) for fact in (rows[0]["chip"], rows[0]["gpu_cores"]) if fact is not None)
    return Path(f"schema={SCHEMA_VERSION}", f"chip={_slug(chip)}", f"boundary={_slug(boundaries[0])}")


def marks_of(readback: Readback) -> set[str]:
    """Marks of all streams of a run; two runs that share one share readings.

    Marks are set where the content says so and not at every n-th reading, so that a stream that was cut, or
    begins elsewhere, still has those of the stream that it was taken from (Schleimer, Wilkerson and Aiken,
    "Winnowing", SIGMOD 2003).
    """
    return {mark for sources in readback.sources.values() for mark in stream_marks(sources.lead.trace)}


def stream_marks(trace: Trace) -> Iterator[str]:
    """Hashes of some stretches of readings, by their joules as the meter told them."""
    joules = np.ascontiguousarray(np.nan_to_num(trace.joules, nan=-1.0))
    for end in range(MARK_READINGS, len(joules) + 1):
        stretch = joules[end - MARK_READINGS : end]
        mark = hashlib.sha256(stretch.tobytes()).hexdigest()[:16]
        if int(mark, 16) % MARK_EVERY == 0 and len(np.unique(stretch, axis=0)) >= _FEWEST_DISTINCT:
            yield mark


def _work(slots: Sequence[SlotRead], names: Mapping[str, str]) -> Row:
    """What a configuration ran and answered, and how fast it read; `names` of the models, by key."""
    answers = [request for slot in slots for request in slot.answers]
    tokens = json.dumps(sorted(tokens_of({r.prompt_id: r for r in reversed(answers)}).items()))
    decode_s = sum(request.decode_s for request in answers)
    counted = [request.decode_bytes for request in answers]
    known = decode_s > 0 and None not in counted
    return {
        "model": storable(", ".join(sorted({names[request.model] for request in answers}))),
        "tokens_sha256": hashlib.sha256(tokens.encode()).hexdigest(),
        "decode_bytes_per_s": sum(filter(None, counted)) / decode_s if known else None,
    }


def _slug(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-") or "unknown"
