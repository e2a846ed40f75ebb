"""Stored runs -> tables for other programs, in a documented and versioned shape (see `schema.py`).

Joules are attributed anew from the raw readings. Every row with joules says of which kind they are, what
they cover and how far they can be trusted; not measured is null.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel

from bench.errors import UserError, nearest
from bench.report.export.schema import SCHEMA_VERSION, TABLES, schema_text
from bench.report.names import arm_label, in_words
from bench.report.readback import requests_by_slot
from bench.report.slots import SlotRead
from bench.report.story import Story
from bench.run.records import ArmKey, FailedRequest, RequestRecord, SlotRecord, VoidSlot
from bench.show.files import csv_text, together
from bench.show.safe_text import storable

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["csv", "parquet", "json"]
Tables = dict[str, list[dict[str, Any]]]

SCHEMA_FILE = "export.schema.json"
_RAILS = ("cpu", "gpu", "ane", "dram", "package", "system")


def export(runs: Sequence[Path], *, form: str, out: Path | None) -> list[Path]:
    """Write the tables of these runs and the schema beside them; each file appears whole or not at all.

    Args:
        runs: run folders.
        form: csv, parquet or json.
        out: folder for three tables, or the file of `json`; None: `export`, or `export.json`.

    Returns:
        The files.

    Raises:
        UserError: unknown format, no such run, or a place that can't be written.
        EnergyError: a raw stream can't be read.
    """
    if form not in get_args(Format):
        raise UserError(f"unknown --format {form!r}", fix=nearest(form, get_args(Format)))
    tables = tables_of([Story.of(run) for run in runs])
    return write(tables, form=form, out=out)


def tables_of(stories: Sequence[Story]) -> Tables:
    """The rows of every table, checked against their models."""
    tables: Tables = {name: [] for name in TABLES}
    for story in stories:
        readback = story.readback
        rows = {slot.record.place: slot for slot in readback.slots}
        requests = requests_by_slot(readback.run)
        slots: list[SlotRecord | VoidSlot] = [*(slot.record for slot in readback.slots), *readback.void]
        for slot in sorted(slots, key=lambda slot: slot.place):
            mine = requests[slot.place]
            done = sum(getattr(request, "batch", 1) for request in mine)
            tables["windows"].append(_window(story, slot, rows.get(slot.place), requests=done))
            tables["requests"] += [_request(story, request) for request in mine]
        tables["configurations"] += _configurations(story)
    return {name: [_checked(TABLES[name], row) for row in rows] for name, rows in tables.items()}


def write(tables: Tables, *, form: str, out: Path | None) -> list[Path]:
    """Write the tables in one format, and the schema."""
    if form == "json":
        file = out or Path("export.json")
        file = file / "export.json" if file.is_dir() else file
        document = {"schema_version": SCHEMA_VERSION, **tables}
        content = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
        contents = {file.name: content.encode()}
        folder = file.parent
    else:
        folder = out or Path("export")
        encode = _csv if form == "csv" else _parquet
        contents = {f"{name}.{form}": encode(name, rows) for name, rows in tables.items()}
    contents[SCHEMA_FILE] = schema_text().encode()
    with together(folder, instead="choose another with --out") as staging:
        for name, data in contents.items():
            (staging / name).write_bytes(data)
    return [folder / name for name in contents]


def parquet_schema(name: str) -> pa.Schema:
    """Column types of a table: stated, because a column of nothing but nulls has no type."""
    import pyarrow as pa

    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    fields = []
    for column, field in TABLES[name].model_fields.items():
        choices = get_args(field.annotation) or (field.annotation,)
        kind = next(choice for choice in choices if choice is not type(None))
        kind = kind if isinstance(kind, type) else type(kind)  # a literal stands for its own type
        note = {"description": field.description or ""}
        optional = type(None) in choices
        fields.append(pa.field(column, types[kind], nullable=optional, metadata=note))
    return pa.schema(fields, metadata={"schema_version": str(SCHEMA_VERSION)})


def _base(story: Story, arm: ArmKey) -> dict[str, Any]:
    header = story.readback.run.header
    return {
        "schema_version": SCHEMA_VERSION,
        "run": header.run_id,
        "suite": header.suite.name,
        **dict(zip(("backend", "gate", "a_a"), arm, strict=True)),
        "configuration": arm_label(arm),
    }


def _request(story: Story, request: RequestRecord | FailedRequest) -> dict[str, Any]:
    base, own = _base(story, request.arm), TABLES["requests"].model_fields
    stored = {name: value for name, value in in_words(vars(request)).items() if name in own}
    if isinstance(request, FailedRequest):
        return {**dict.fromkeys(own), **base, **stored, "cut": "{}"}
    return {
        **base,
        **stored,
        "error": None,
        "generated_tokens": len(request.tokens),
        "gate_s": request.gated_s - request.start_s,
        "prefill_s": request.prefill_s,
        "decode_s": request.decode_s,
        "cut": json.dumps(request.cut or {}, sort_keys=True),
    }


def _window(
    story: Story, slot: SlotRecord | VoidSlot, row: SlotRead | None, *, requests: int
) -> dict[str, Any]:
    joules = slot.joules
    energy = {name: getattr(joules, name, None) for name in ("kind", "boundary", "grade", "grade_name")}
    rails = joules.rails_j if joules else {}
    work = {name: getattr(row, name, None) for name in ("prompt_tokens", "new_tokens", "forwards")}
    return {
        **_base(story, slot.arm),
        **dict(zip(("session", "block", "position"), slot.place, strict=True)),
        **in_words({name: getattr(slot, name, None) for name in ("passes", "start_s", "seconds_s", "error")}),
        "requests": requests,
        **in_words(work),
        **energy,
        "grade_reasons": "; ".join(joules.grade_reasons) if joules else None,
        "gross_j": joules.total_j if joules else None,
        "bound_j": joules.bound_j if joules else None,
        "net_j": row.net_j if row else None,
        **{f"{rail}_j": rails.get(rail) for rail in _RAILS},
        "readings": joules.readings if joules else None,
        "not_estimated": joules.withheld if joules else None,
        "thermal": row.thermal if row else None,
    }


def _configurations(story: Story) -> list[dict[str, Any]]:
    rows = []
    for row in story.summary.rows:
        base = _base(story, (row.backend, row.gate, row.a_a))
        own = TABLES["configurations"].model_fields.keys() - base.keys()
        values = {name: getattr(row, name) for name in own}
        rows.append({**base, **values, "grade_reasons": "; ".join(row.grade_reasons)})
    return rows


def _checked(model: type[BaseModel], row: dict[str, Any]) -> dict[str, Any]:
    """The row as its model has it, in the model's order."""
    return model(**{name: _storable(value) for name, value in row.items()}).model_dump()


def _storable(value: Any) -> Any:
    """None for NaN (where no window counts there is no figure per repeat); text that is UTF-8."""
    return None if isinstance(value, float) and not math.isfinite(value) else storable(value)


def _csv(name: str, rows: Sequence[dict[str, Any]]) -> bytes:
    """Booleans as JSON has them, as the schema says."""
    as_json = ([str(v).lower() if isinstance(v, bool) else v for v in row.values()] for row in rows)
    return csv_text(list(TABLES[name].model_fields), as_json).encode()


def _parquet(name: str, rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), parquet_schema(name)), sink, compression="zstd")
    return sink.getvalue()
