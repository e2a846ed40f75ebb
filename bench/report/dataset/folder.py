"""The folder of a data set: which files it has, and all their rows as one table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.report.export.collect import DATA_SET
from bench.show.files import write
from energy.user_cache import user_cache

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BYTES = 2**24
"""Of the Parquet file of a run, which has some ten thousand."""
_FILES = f"{DATA_SET}/*.parquet"
_READ_FROM = b"read from"


def run_files(dataset: Path) -> list[Path]:
    """The Parquet files, one a run; the run folder lies beside each under the same name.

    Raises:
        UserError: there is none, or one is a link or far too large.
    """
    files = sorted(file for file in dataset.glob(_FILES) if not file.name.startswith("."))
    if not files:
        raise UserError(
            f"{dataset} is no data set: it has no {_FILES}",
            fix=f"make one: bench data add RUN --to {dataset}",
        )
    for file in files:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise UserError(f"{file} is not the plain Parquet file of a run", fix="take it out")
    return files


def read_rows(dataset: Path, *, without: Collection[str] = ()) -> pa.Table:
    """A row per run and configuration.

    Thousands of small files take long to open, so what was read of them is kept in the user's cache, and of
    a file that has not changed since it is not read again.

    Args:
        dataset: its folder.
        without: columns that are not wanted.

    Raises:
        UserError: not a data set, or a damaged file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    now = {str(file.relative_to(dataset)): _stamp(file) for file in run_files(dataset)}
    then = _kept_of(dataset)
    if then == now:
        return _kept(dataset, without)
    same = sorted(name for name, stamp in now.items() if then.get(name) == stamp)
    tables = [_read(dataset, name) for name in sorted(now.keys() - set(same))]
    if same:
        kept = _kept(dataset)
        tables.append(kept.filter(pc.is_in(kept["file"], pa.array(same))))
    rows = pa.concat_tables(tables, promote_options="default")
    _keep(dataset, rows, now)
    return rows.drop_columns(list(without))


def read_file(file: Path) -> pa.Table:
    """The rows of one run.

    Raises:
        UserError: it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file).read()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file} is damaged: {error}", fix="add its run again: bench data add") from None


def _read(dataset: Path, name: str) -> pa.Table:
    import pyarrow as pa

    table = read_file(dataset / name)
    return table.append_column("file", pa.array([name] * table.num_rows, pa.string()))


def _stamp(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns]


def _cache(dataset: Path) -> Path:
    name = hashlib.sha256(str(dataset.resolve()).encode()).hexdigest()[:16]
    return user_cache() / "data" / f"{name}.parquet"


def _kept_of(dataset: Path) -> dict[str, list[int]]:
    """The files that are kept as they were read; none if that can't be told."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        read_from: dict[str, list[int]] = json.loads(pq.read_schema(_cache(dataset)).metadata[_READ_FROM])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return {}
    return read_from


def _kept(dataset: Path, without: Collection[str] = ()) -> pa.Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(_cache(dataset))
    return file.read(columns=[name for name in file.schema_arrow.names if name not in without])


def _keep(dataset: Path, rows: pa.Table, read_from: dict[str, list[int]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = _cache(dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows.replace_schema_metadata({_READ_FROM: json.dumps(read_from)}), sink, compression="zstd"
    )
    write(file, sink.getvalue().to_pybytes())
