"""Many runs, of many machines, in one Parquet file: a row per slot, with where it comes from in each row.

A run has hundreds of records, so thousands of runs are read in bulk: the lines of many files are parsed as
one table, and requests are summed into their slots by column. Joules are those that were stored with the
run; `bench report` attributes them anew from the raw readings, which stay where they are.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet as pq

from analysis.looks import level_of_run
from bench.errors import UserError
from bench.report.names import arm_label, in_words
from bench.report.rows import likeness, provenance
from bench.report.slots import Idle, failed_gate
from bench.run import store
from bench.run.power import Power, changed
from bench.run.records import SessionRecord
from bench.show.files import growing
from bench.show.safe_text import storable
from bench.suite.header import RunHeader

_FROM_JOULES = ("bound_j", "boundary", "kind", "grade", "readings", "thermal")
DATA_SET = "schema=*/chip=*/boundary=*"
"""Folders of a data set, see `bench.report.dataset`."""
BATCH = 250
"""Runs that are parsed at once: enough to be fast, few enough to fit into memory."""
Began = dict[tuple[int, int], Power | None]
"""The power supply as each session began, by number of the run and session."""
PLACE = ("run_index", "session", "block", "position")
_JOULES = pa.struct(
    [
        ("total_j", pa.float64()),
        ("bound_j", pa.float64()),
        ("readings", pa.int64()),
        ("kind", pa.string()),
        ("boundary", pa.string()),
        ("grade", pa.int64()),
        ("thermal", pa.string()),
    ]
)
_USED = tuple(f'{{"type": "{kind}"'.encode() for kind in ("request", "slot", "block", "idle"))
"""How the store begins the lines that are needed; fields of others have the same names and other types."""
_SESSION = b'{"type": "session"'
_POWER = pa.struct([("source", pa.string()), ("mode", pa.string()), ("charging", pa.bool_())])
_RECORD = pa.schema(
    [
        ("type", pa.string()),
        *((name, pa.int64()) for name in ("session", "block", "position", "passes")),
        *((name, pa.string()) for name in ("backend", "gate", "error")),
        ("a_a", pa.bool_()),
        *((name, pa.int64()) for name in ("prompt_tokens", "cached_tokens", "forwards", "batch")),
        ("tokens", pa.list_(pa.int64())),
        *((name, pa.float64()) for name in ("start_s", "end_s")),
        ("joules", _JOULES),
        ("power", _POWER),
        ("ranks", pa.list_(pa.struct([("rank", pa.int64())]))),
    ]
)
_NOT_MEASURED = pa.scalar(None, pa.float64())
FACT_TYPES = {
    **dict.fromkeys(("gpu_cores", "cpu_cores", "memory_bytes"), pa.int64()),
    "git_dirty": pa.bool_(),
}
"""Provenance is text but for these; stated, because a column of nothing but nulls has no type."""


@dataclass(frozen=True)
class Collected:
    """What went into a data set."""

    file: Path
    runs: int
    slots: int
    without_whole_block: tuple[str, ...]
    """Runs that were cut short before a block was whole: nothing of them can be compared."""


def run_folders(folders: Sequence[Path]) -> list[Path]:
    """Every run folder among and directly below these folders, and those of data sets.

    Raises:
        UserError: there is none.
    """
    runs = {file.parent for folder in folders for file in _headers_below(folder)}
    if not runs:
        raise UserError(f"no run folder in {', '.join(map(str, folders))}", fix="make one with: bench run")
    return sorted(runs)


def _headers_below(folder: Path) -> list[Path]:
    """Of the folder itself, or else of the runs in it, which in a data set lie deeper."""
    if (folder / "run.json").is_file():
        return [folder / "run.json"]
    return [*folder.glob("*/run.json"), *folder.glob(f"{DATA_SET}/*/run.json")]


def collect(folders: Sequence[Path], out: Path) -> Collected:
    """Write the slots of all runs to one Parquet file, which appears whole or not at all.

    Args:
        folders: run folders, or folders of run folders.
        out: the file to write.

    Raises:
        UserError: no run, a damaged run, or a file that can't be written or does not end in .parquet.
    """
    if out.suffix != ".parquet":
        better = out.with_suffix(".parquet")
        raise UserError(f"--out {out} is no name for a Parquet file", fix=f"give one such as {better}")
    runs = run_folders(folders)
    empty: list[str] = []
    slots = 0
    with growing(out, instead="choose another file with --out") as staging, ExitStack() as opened:
        writer = None
        for table, cut_short in _tables(runs):
            writer = writer or opened.enter_context(
                pq.ParquetWriter(staging, table.schema, compression="zstd")
            )
            writer.write_table(table)
            slots += table.num_rows
            empty += cut_short
    return Collected(out, len(runs), slots, tuple(empty))


def _tables(folders: Sequence[Path]) -> Iterator[tuple[pa.Table, list[str]]]:
    for begin in range(0, len(folders), BATCH):
        some = folders[begin : begin + BATCH]
        headers = [store.read_header(folder) for folder in some]
        records, began = _records(some)
        table = _slots(records, headers, began)
        whole = set(pc.unique(table["run"]).to_pylist())
        yield table, [header.run_id for header in headers if header.run_id not in whole]


def _records(folders: Sequence[Path]) -> tuple[pa.Table, Began]:
    """All records of these runs, with the number of their run; unknown fields are passed over."""
    lines: list[bytes] = []
    counts: list[int] = []
    began: Began = {}
    for run, folder in enumerate(folders):
        file = folder / "records.jsonl"
        # what follows the last newline was cut by a crash and is not a record
        whole = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        before = len(lines)
        for number, line in enumerate(whole, start=1):
            if not line.startswith((*_USED, _SESSION)):
                continue
            record = store.read_record(line, file=file, number=number)
            if isinstance(record, SessionRecord):
                began[run, record.session] = record.power
            else:
                lines.append(line)
        counts.append(len(lines) - before)
    options = pa.json.ParseOptions(explicit_schema=_RECORD, unexpected_field_behavior="ignore")
    try:
        table = _parse(b"\n".join(lines), options)
    except pa.ArrowInvalid as error:
        raise UserError(f"the records below {folders[0].parent} can't be collected: {error}") from None
    return table.append_column("run_index", pa.array(np.repeat(np.arange(len(folders)), counts))), began


def _parse(data: bytes, options: pa.json.ParseOptions) -> pa.Table:
    if not data:
        return _RECORD.empty_table()
    return pa.json.read_json(io.BytesIO(data), parse_options=options).select(_RECORD.names)


def _slots(records: pa.Table, headers: Sequence[RunHeader], began: Began) -> pa.Table:
    """One row per window of a whole block, as `analysis.rows.Slot` in words, and its run's provenance."""
    slots = _of_type(records, "slot")
    slots = slots.filter(pc.is_null(slots["error"]))
    ranks = pc.fill_null(pc.list_value_length(slots["ranks"]), 0)
    kept = [*PLACE, "backend", "gate", "a_a", "passes", "start_s", "end_s", "joules", "power"]
    slots = slots.select(kept).append_column("is_alone", pc.equal(ranks, 0)).flatten()
    blocks = _of_type(records, "block").group_by(["run_index", "block"]).aggregate([("session", "max")])
    blocks = blocks.rename_columns(
        ["run_index", "block", "session"]
    )  # of a block that was run again, the last
    slots = slots.join(blocks, ["run_index", "session", "block"], join_type="left semi")
    slots = slots.join(_work(records), list(PLACE)).sort_by([(name, "ascending") for name in PLACE])
    run = slots["run_index"].to_numpy()
    columns = _slot_columns(slots, run, _idle_powers(records, len(headers)))
    columns["excluded"] = pa.array(_excluded(slots, headers, began), pa.string())
    finished = _finished(records, len(headers))
    levels = [level_of_run(header.looks, done) for header, done in zip(headers, finished, strict=True)]
    columns["level"] = pa.array(levels, pa.float64()).take(pa.array(run))
    facts = [provenance(header) for header in headers]
    for name in facts[0]:
        kind = FACT_TYPES.get(name, pa.string())
        columns[name] = pa.array([fact[name] for fact in facts], kind).take(pa.array(run))
    columns["likeness"] = pa.array([storable("|".join(likeness(one))) for one in headers]).take(pa.array(run))
    return pa.table(in_words(columns))


def _of_type(records: pa.Table, kind: str) -> pa.Table:
    return records.filter(pc.equal(records["type"], kind))


def _finished(records: pa.Table, runs: int) -> list[dict[int, int]]:
    """By run: block -> session in which it was completed."""
    blocks = _of_type(records, "block").select(["run_index", "block", "session"]).to_pydict()
    slots_by_run: list[dict[int, int]] = [{} for _ in range(runs)]
    for run, block, session in zip(*blocks.values(), strict=True):
        slots_by_run[run][block] = session
    return slots_by_run


def _work(records: pa.Table) -> pa.Table:
    """Requests summed by slot, those of a batch counted one by one."""
    requests = _of_type(records, "request")
    batch = pc.fill_null(requests["batch"], 1)  # the first runs had none
    fed = pc.subtract(requests["prompt_tokens"], pc.fill_null(requests["cached_tokens"], 0))
    work = {
        "requests": batch,
        "prompt_tokens": pc.multiply(batch, fed),
        "new_tokens": pc.multiply(batch, pc.list_value_length(requests["tokens"])),
        "forwards": requests["forwards"],
    }
    table = pa.table({**{name: requests[name] for name in PLACE}, **work})
    summed = table.group_by(list(PLACE)).aggregate([(name, "sum") for name in work])
    return summed.rename_columns([*PLACE, *work])


def _idle_powers(records: pa.Table, runs: int) -> list[Idle]:
    idle = _of_type(records, "idle")
    seconds_s = pc.subtract(idle["end_s"], idle["start_s"])
    watts = pc.divide(pc.struct_field(idle["joules"], "total_j"), seconds_s).to_pylist()
    by_run: list[list[float | None]] = [[] for _ in range(runs)]
    for run, watt in zip(idle["run_index"].to_pylist(), watts, strict=True):
        by_run[run].append(watt)
    return [Idle(windows) for windows in by_run]


def _excluded(slots: pa.Table, headers: Sequence[RunHeader], began: Began) -> Iterator[str | None]:
    """The declared gate that each slot failed."""
    names = ("run_index", "session", "joules.thermal", "joules.readings", "power.source", "power.mode")
    columns = (slots[name].to_pylist() for name in names)
    for run, session, thermal, readings, source, mode in zip(*columns, strict=True):
        power = changed(began.get((run, session)), Power(source=source, mode=mode))
        yield failed_gate(thermal, readings, power=power, as_published=headers[run].overrides.as_published)


def _slot_columns(slots: pa.Table, run: np.ndarray, idle: Sequence[Idle]) -> dict[str, Any]:
    """The columns of `analysis.rows.Slot` that the records hold."""
    seconds_s = pc.subtract(slots["end_s"], slots["start_s"])
    gross_j = slots["joules.total_j"]
    begins = np.flatnonzero(np.diff(run, prepend=-1))
    lengths = np.diff([*begins, len(run)])
    return {
        "block": slots["block"],
        "position": pa.array(np.arange(len(run)) - np.repeat(begins, lengths)),
        "arm": _arms(slots),
        **{name: slots[name] for name in ("backend", "gate", "passes")},
        **{name: slots[name] for name in ("requests", "prompt_tokens", "new_tokens", "forwards")},
        "seconds_s": seconds_s,
        "gross_j": gross_j,
        "net_j": pc.if_else(slots["is_alone"], _net_j(gross_j, seconds_s, run, idle), _NOT_MEASURED),
        **{name: slots[f"joules.{name}"] for name in _FROM_JOULES},
    }


def _arms(slots: pa.Table) -> pa.Array:
    """Labels of the arms, each made once."""
    keys = list(zip(*(slots[name].to_pylist() for name in ("backend", "gate", "a_a")), strict=True))
    labels = {key: arm_label(key) for key in set(keys)}
    return pa.array([labels[key] for key in keys], pa.string())


def _net_j(gross_j: Any, seconds_s: Any, run: np.ndarray, idle: Sequence[Idle]) -> pa.Array:
    """Joules above idle; null where idle is unknown or unstable, or nothing is left above it."""
    judged = [one.judged for one in idle]
    power_w = pa.array([one.mean_w if one.stable else None for one in judged], pa.float64()).take(
        pa.array(run)
    )
    net_j = pc.subtract(gross_j, pc.multiply(seconds_s, power_w))
    return pc.if_else(pc.greater(net_j, 0), net_j, _NOT_MEASURED)
