"""Columns -> trace: which documents are readings, where they lie, and what went wrong between them."""

from __future__ import annotations

import numpy as np

from energy.align import align
from energy.base import Fault, Trace
from energy.decode import Columns


def trace_of(columns: Columns, *, stamped: bool) -> Trace:
    """Place all readings of a recording on the harness clock.

    Args:
        columns: the decoded documents.
        stamped: the recorder itself took each reading at its stamp, so there is nothing to align.
    """
    usable = columns.is_delta & ~np.isnan(columns.elapsed_s)
    ends, uncertainties = [], [0.0]
    for session in np.unique(columns.session):
        rows = usable & (columns.session == session)
        if not rows.any():
            continue
        if stamped:
            ends.append(columns.arrival_s[rows])
            continue
        labels_s = columns.label_s - columns.wall_s + columns.arrival_s
        placed = align(columns.elapsed_s[rows], columns.arrival_s[rows], labels_s[rows])
        ends.append(placed.end_s)
        uncertainties.append(placed.uncertainty_s)
    end_s = np.concatenate([*ends, np.empty(0)])
    start_s = end_s - columns.elapsed_s[usable]
    start_s[1:] = np.where(np.abs(start_s[1:] - end_s[:-1]) < 1e-6, end_s[:-1], start_s[1:])
    return Trace(
        rails=columns.rails,
        start_s=start_s,
        end_s=end_s,
        joules=columns.joules[usable],
        alignment_s=max(uncertainties),
        faults=_faults(columns),
    )


def _faults(columns: Columns) -> tuple[Fault, ...]:
    faults = []
    for row, kind, detail in columns.notes:
        before_s = columns.arrival_s[row - 1] if row > 0 else columns.arrival_s[row]
        faults.append(Fault(kind=kind, start_s=before_s, end_s=columns.arrival_s[row], detail=detail))
    for died_s, reason in columns.deaths:
        later = columns.arrival_s[columns.arrival_s > died_s]
        end_s = float(later[0]) if later.size else float("inf")
        faults.append(Fault(kind="meter died", start_s=died_s, end_s=end_s, detail=reason))
    return tuple(faults)
