"""Tables of other commands about the same run: the published claims, and the files left beside it."""

from __future__ import annotations

import csv
from pathlib import Path

from analysis.values import listed
from bench.report.readback import Readback
from bench.show.table import Table

_LEFT_BY = ("isolate", "sweep", "reproduce", "claims", "quality", "spectral", "redundancy")
"""How the names of such files begin, as `bench isolate --csv RUN/isolate.csv` leaves them."""
_CLAIM_COLUMNS = {
    "claim": "claim",
    "whose": "whose",
    "backend": "backend",
    "text": "what was claimed",
    "published": "published",
    "recomputed": "recomputed from its record",
    "verdict": "verdict on the record",
    "rerun_integrated": "here, readings during the work",
    "rerun_integrated_a_a": "A/A of it",
    "rerun_published_protocol": "here, one reading after",
    "rerun_agreement": "agreement",
    "blocks": "blocks",
    "kind": "joules",
    "rerun_integrated_verdict": "verdict here",
    "rerun_why": "why",
    "as_it_was": "by the published protocol as it was",
}


def claims_table(readback: Readback) -> Table | None:
    """The published claims that this run's suite re-runs, judged on the run; None if it re-runs none."""
    from bench.studies.claims import files as claim_files
    from bench.studies.claims.evidence import of_readbacks
    from bench.studies.claims.reproduce import judge_statements
    from bench.studies.claims.statements import statements
    from bench.studies.claims.text import apart, how_many

    suite = readback.run.header.suite.stem
    chosen = [s for s in statements().values() if s.suite is not None and Path(s.suite).stem == suite]
    if not chosen or not readback.slots:
        return None
    by_whose = apart(judge_statements(chosen, [of_readbacks([readback])]))
    judged = claim_files.to_rows([row for rows in by_whose.values() for row in rows])
    rows = [[row.get(key) or None for key in _CLAIM_COLUMNS] for row in judged]
    counts = listed([how_many(whose, len(mine)) for whose, mine in by_whose.items()])
    return Table.plain(
        name="claims",
        title=f"What this suite re-runs: {counts}",
        headings=tuple(_CLAIM_COLUMNS.values()),
        rows=rows,
    )


def other_tables(folder: Path) -> list[Table]:
    """CSV files that other commands left in a run folder or in its `sweep`, in order of their names."""
    files = sorted([*folder.glob("*.csv"), *folder.glob("sweep/*.csv")])
    return [_table(file, folder) for file in files if file.name.startswith(_LEFT_BY)]


def _table(file: Path, folder: Path) -> Table:
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        columns, *rows = list(csv.reader(lines)) or [[""]]
    width = len(columns)
    return Table.plain(
        name=f"other-{file.stem}",
        title=f"From {file.relative_to(folder)}",
        headings=tuple(columns),
        rows=[[cell or None for cell in [*row, *[""] * width][:width]] for row in rows],
    )
