"""The published claims on the page of a run whose suite re-runs them."""

from __future__ import annotations

from pathlib import Path

from analysis.words import listed
from bench.report.readback import Readback
from bench.show.table import Table
from bench.studies.claims.claim_words import apart, how_many
from bench.studies.claims.evidence import of_readbacks
from bench.studies.claims.for_programs import to_rows
from bench.studies.claims.reproduce import judge_statements
from bench.studies.claims.statements import statements

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
    "rerun_token_match": "token match",
    "blocks": "blocks",
    "kind": "joules",
    "rerun_integrated_verdict": "verdict here",
    "rerun_why": "why",
    "as_it_was": "by the published protocol as it was",
}


def claims_table(readback: Readback) -> Table | None:
    """The published claims that this run's suite re-runs, judged on the run; None if it re-runs none."""
    suite = readback.run.header.suite.stem
    chosen = [s for s in statements().values() if s.suite is not None and Path(s.suite).stem == suite]
    if not chosen or not readback.slots:
        return None
    by_whose = apart(judge_statements(chosen, [of_readbacks([readback])]))
    judged = to_rows([row for rows in by_whose.values() for row in rows])
    rows = [[row.get(key) or None for key in _CLAIM_COLUMNS] for row in judged]
    counts = listed([how_many(whose, len(mine)) for whose, mine in by_whose.items()])
    return Table.plain(
        name="claims",
        title=f"What this suite re-runs: {counts}",
        headings=tuple(_CLAIM_COLUMNS.values()),
        rows=rows,
    )
