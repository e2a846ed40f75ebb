"""The table of claims for programs: as CSV and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from analysis.claims import Rerun
from bench.show.files import csv_text
from bench.studies.claims.claim_words import as_it_was, change, figures, noise, seen, share, tested_by, why
from bench.studies.claims.reproduce import JudgedClaim, Remeasured

COLUMNS = (
    *("claim", "paper", "whose", "text", "source", "published", "recomputed", "a_a", "controls"),
    *("verdict", "why"),
    *("would_test", "runs", "backend", "kind", "boundary", "blocks", "rerun_published_protocol"),
    *("rerun_published_protocol_a_a", "rerun_published_protocol_verdict", "rerun_integrated"),
    *("rerun_integrated_a_a", "rerun_integrated_verdict", "rerun_why", "rerun_controls", "rerun_token_match"),
    *("sweeps", "as_it_was"),
)


def to_csv(judged: Sequence[JudgedClaim]) -> str:
    """One line per claim and re-run."""
    return csv_text(COLUMNS, to_rows(judged))


def to_rows(judged: Sequence[JudgedClaim]) -> list[dict[str, Any]]:
    """The same by the names of the columns; a claim without a re-run lacks those of one."""
    return [
        _flat(row) | (_flat_rerun(again) if again else {})
        for row in judged
        for again in row.remeasured or (None,)
    ]


def to_json(judged: Sequence[JudgedClaim]) -> list[dict[str, Any]]:
    """All figures and re-runs of every claim."""
    return [
        {
            **row.statement.model_dump(),
            "published": [asdict(figure) for figure in row.record.published],
            "recomputed": [asdict(figure) for figure in row.record.recomputed],
            "verdict": row.record.verdict,
            "why": row.record.why,
            "change_percent": row.record.change_percent,
            "would_test": tested_by(row),
            "remeasured": [asdict(again) for again in row.remeasured],
            "repeated": [asdict(again) | {"inside": again.inside} for again in row.repeated],
            "resweeps": [asdict(again) for again in row.resweeps],
        }
        for row in judged
    ]


def _flat(row: JudgedClaim) -> dict[str, Any]:
    recomputed = row.record.recomputed
    return {
        "claim": row.statement.name,
        **{key: getattr(row.statement, key) for key in ("paper", "whose", "text", "source")},
        "published": "; ".join(figures(row.record.published, "figure")),
        "recomputed": "; ".join(figures(recomputed, "figure", "detail")),
        "a_a": "; ".join(figures(recomputed, "a_a")),
        "controls": "; ".join(figures(recomputed, "control")),
        "verdict": row.record.verdict,
        "why": row.record.why,
        "would_test": tested_by(row),
        "as_it_was": "; ".join(map(as_it_was, row.repeated)),
        "sweeps": "; ".join(f"{again.verdict}: {seen(again)}" for again in row.resweeps),
    }


def _flat_rerun(again: Remeasured) -> dict[str, Any]:
    published = again.published if isinstance(again.published, Rerun) else None
    return {
        "runs": " ".join(again.runs),
        **{key: getattr(again, key) for key in ("backend", "kind", "boundary", "blocks")},
        "rerun_published_protocol": change(published) if published else None,
        "rerun_published_protocol_a_a": noise(published) if published else None,
        "rerun_published_protocol_verdict": published.verdict if published else None,
        "rerun_integrated": change(again.integrated),
        "rerun_integrated_a_a": noise(again.integrated),
        "rerun_integrated_verdict": again.integrated.verdict,
        "rerun_why": why(again),
        "rerun_controls": "; ".join(f"{arm}: {change(control)}" for arm, control in again.controls),
        "rerun_token_match": share(again.agreement),
    }
