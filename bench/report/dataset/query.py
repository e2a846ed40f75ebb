"""Questions to a data set, in SQL: those that are asked most come along, and any other can be typed.

The rows are a table named `configurations` in a database in memory that can reach no file and no network.
Boundaries and kinds of joules are never mixed unless that is asked for: a table of one of each is given.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

from analysis.words import listed
from bench.errors import UserError
from bench.report.dataset.folder import read_rows
from bench.show.words import kind_label
from bench.suite import libraries

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_MACHINE = "concat_ws(', ', chip, gpu_cores || ' GPU cores') as machine"
_MEASURED = "not a_a and joules_per_token is not null"
QUESTIONS = {
    "cost": f"""
        select {_MACHINE}, suite, model, backend, count(distinct run) as runs,
               median(joules_per_token) as joules_per_token,
               min(joules_per_token) as lowest, max(joules_per_token) as highest,
               median(decode_tokens_per_s) as tokens_per_s {{apart}}
        from configurations where against is null and {_MEASURED}
        group by all order by machine, suite, model, joules_per_token
    """,
    "best": f"""
        select {_MACHINE}, suite, model, configuration, joules_per_token,
               coalesce(token_match_percent, 100) as token_match_percent, run {{apart}}
        from configurations
        where {_MEASURED}
          and (against is null or (verdict = 'saves' and token_match_percent >= $quality))
        qualify row_number() over (
            partition by machine, weights_sha256, prompts_sha256, boundary, kind
            order by joules_per_token) = 1
        order by machine, suite, model
    """,
    "drift": f"""
        select {_MACHINE}, suite, model, backend,
               case backend when 'mlx' then mlx_version when 'torch' then torch_version
                            when 'llama_cpp' then xllamacpp_version end as version,
               count(distinct run) as runs, median(joules_per_token) as joules_per_token,
               median(decode_tokens_per_s) as tokens_per_s, min(started_utc[:10]) as first_run {{apart}}
        from configurations where against is null and {_MEASURED}
        group by all order by machine, suite, model, backend, first_run
    """,
}
"""Name -> SQL: J/token by chip and engine; the least J/token at a token match; how versions differ."""
DEFAULT_QUALITY = 98.0
_APART = ("boundary", "kind")


def query(
    dataset: Path,
    question: str,
    *,
    quality: float = DEFAULT_QUALITY,
    only: dict[str, str],
    mixed: bool = False,
) -> tuple[pd.DataFrame, str]:
    """Ask a data set; returns the rows of the answer, and what the joules asked about are.

    Args:
        dataset: its folder.
        question: a name of `QUESTIONS`, or SQL over the table `configurations`.
        quality: least token match of `best`, per cent.
        only: the boundary and the kind of joules that are asked about; those that are left out are chosen
            where the data set has one alone.
        mixed: ask about all boundaries and kinds at once.

    Raises:
        UserError: DuckDB is not installed, not a data set, several boundaries, or SQL that can't be run.
    """
    libraries.require("duckdb", what="bench data query", extra="data")
    import duckdb

    rows = read_rows(dataset, without=("stream_marks",))
    if not mixed:
        rows = _of_one(rows, only, dataset)
    joules = (
        f"{kind_label(set(rows['kind'].to_pylist()))}; {listed(sorted(set(rows['boundary'].to_pylist())))}"
    )
    with duckdb.connect(":memory:") as database:
        database.register("configurations", rows)
        database.execute("set enable_external_access = false; set lock_configuration = true")
        sql = question
        if question in QUESTIONS:
            sql = QUESTIONS[question].format(apart=", boundary, kind" if mixed else "")
        try:
            return database.execute(sql, {"quality": quality} if question == "best" else None).df(), joules
        except duckdb.Error as error:
            sql = "select distinct chip from configurations"
            fix = f"ask {', '.join(QUESTIONS)}, or SQL such as: {sql}"
            raise UserError(f"the data set can't answer that: {shorten(str(error), 200)}", fix=fix) from None


def _of_one(rows: pa.Table, only: dict[str, str], dataset: Path) -> pa.Table:
    """The rows of one boundary and one kind of joules."""
    import pyarrow.compute as pc

    for name in _APART:
        there = sorted(set(rows[name].to_pylist()))
        if name not in only and len(there) > 1:
            fix = f"choose one, such as --{name} {there[0]}, or --mixed for all"
            raise UserError(f"{dataset} has joules of several kinds of {name}: {listed(there)}", fix=fix)
        chosen = only.get(name, there[0])
        if chosen not in there:
            raise UserError(f"{dataset} has no {name} {chosen!r}", fix=f"it has {listed(there)}")
        rows = rows.filter(pc.equal(rows[name], chosen))
    return rows
