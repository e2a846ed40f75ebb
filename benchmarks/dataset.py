"""How a data set of many runs behaves: adding to it, checking it, asking it.

    python -m benchmarks.dataset [--runs 10000] [--checked 100]

`--checked` runs are made up whole, with the streams of a meter, added and checked. All others are rows alone,
each in a Parquet file of its own: copies of those with other names, joules and marks, as if they were other
people's. The target: every question that comes along is answered in less than 2 s once the files are read.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.report.dataset.add import add
from bench.report.dataset.check import check
from bench.report.dataset.folder import read_file, read_rows, run_files
from bench.report.dataset.query import QUESTIONS, query
from benchmarks.long_run import make_long_run

CHIPS = [("Apple M1", 8), ("Apple M2 Pro", 19), ("Apple M3 Max", 40), ("Apple M4", 10), ("Apple M4 Pro", 20)]


def make_honest_run(folder: Path, *, seed: int) -> Path:
    """A short made-up run of which nothing is wrong; its meter has passed the self-test."""
    return make_long_run(folder, hours=0.02, slot_s=1.0, prompts=2, self_test=True, seed=seed)


def main() -> int:
    """Make, add, check and ask; prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--checked", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [make_honest_run(folder / "made", seed=seed) for seed in range(asked.checked)]
        dataset = folder / "set"
        with _timed(f"add {len(made)} runs", each=len(made)):
            assert all(one.file for one in add(made, dataset))
        _grow(dataset, asked.runs - len(made))
        with _timed(f"read {asked.runs:,} files for the first time"):
            rows = read_rows(dataset)
        with _timed("read them again"):
            assert read_rows(dataset).num_rows == rows.num_rows
        another = make_honest_run(folder / "more", seed=asked.checked)
        with _timed("add one more"):
            assert next(iter(add([another], dataset))).file
        with _timed(f"check {len(made)} among {asked.runs:,}", each=len(made)):
            doubted = [one for one in check(dataset, [run.name for run in made]) if one.failed]
        assert not doubted, doubted[0]
        for question in QUESTIONS:
            with _timed(f"ask {question}"):
                query(dataset, question, only={})
    return 0


def _grow(dataset: Path, count: int) -> None:
    """Add files of rows that no run folder stands behind."""
    chance = np.random.default_rng(0)
    table = read_file(run_files(dataset)[0])
    for _ in range(count):
        chip, cores = CHIPS[chance.integers(len(CHIPS))]
        run = f"20260101-000000-long-{secrets.token_hex(6)}"
        marks = [secrets.token_hex(8) for _ in table["stream_marks"][0]]
        changed = {
            "run": pa.array([run] * table.num_rows),
            "chip": pa.array([chip] * table.num_rows),
            "gpu_cores": pa.array([cores] * table.num_rows, pa.int64()),
            "stream_marks": pa.array([marks] * table.num_rows, pa.list_(pa.string())),
            "joules_per_token": pa.array(
                np.asarray(table["joules_per_token"]) * chance.normal(1, 0.1), pa.float64()
            ),
        }
        other = table
        for name, column in changed.items():
            other = other.set_column(other.column_names.index(name), other.schema.field(name), column)
        words = f"{chip} {cores}".replace(" ", "-")
        place = dataset / "schema=2" / f"chip={words}" / "boundary=soc-cpu-gpu-ane"
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(other, place / f"{run}.parquet", compression="zstd")


@contextmanager
def _timed(what: str, *, each: int | None = None) -> Iterator[None]:
    began_s = time.perf_counter()
    yield
    took_s = time.perf_counter() - began_s
    print(
        f"{what:48} {took_s:8.2f} s" + (f"  {1000 * took_s / each:8.1f} ms each" if each else ""), flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
