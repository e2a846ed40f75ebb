"""RC's claims about pruning by kappa."""

from __future__ import annotations

import numpy as np

from analysis.claims import Claim, ClaimFigure
from analysis.frontier import cliff
from analysis.published.record import record
from analysis.rows import Trade
from analysis.values import Withheld

SWEEP = "bench sweep over kappa with the effectiveness guard on"


def redundancy_claims() -> list[Claim]:
    """RC's rows."""
    return [_perplexity(), _speed(), _cliff(), _mean_kappa()]


def published_sweep() -> list[Trade]:
    """The fixed kappas as points of a sweep, seconds per token against perplexity."""
    table = record()["redundancy"]
    columns = zip(table["fixed_kappa"], table["fixed_ms_per_token"], table["fixed_perplexity"], strict=True)
    return [
        Trade(label=f"kappa {kappa}", strength=kappa, cost=ms / 1e3, loss=perplexity)
        for kappa, ms, perplexity in columns
    ]


def _spread(values: list[float]) -> float:
    return float(np.ptp(values))


def _perplexity() -> Claim:
    table = record()["redundancy"]
    return Claim(
        name="redundancy.perplexity",
        published=tuple(ClaimFigure(label=t.label, value=t.loss) for t in published_sweep()),
        recomputed=(ClaimFigure(label="largest less smallest", value=_spread(table["fixed_perplexity"])),),
        verdict="not reproduced",
        why="gate inactive: the same perplexity to the last digit from all of the work and from half of it "
        "is the same computation, not a free cut",
        would_test=SWEEP,
    )


def _speed() -> Claim:
    table = record()["redundancy"]
    return Claim(
        name="redundancy.speed",
        published=tuple(ClaimFigure(label=t.label, value=t.cost * 1e3, unit="ms") for t in published_sweep()),
        recomputed=(
            ClaimFigure(label="largest less smallest", value=_spread(table["fixed_ms_per_token"]), unit="ms"),
        ),
        verdict="not reproduced",
        why="gate inactive: half of the work left out took as long as all of it",
        would_test=SWEEP,
    )


def _cliff() -> Claim:
    strength = cliff(published_sweep())
    assert isinstance(strength, Withheld)
    return Claim(
        name="redundancy.cliff",
        published=(ClaimFigure(label="cliff at kappa", value=0.5),),
        recomputed=(),
        verdict="not reproduced",
        why=strength.reason,
        would_test=SWEEP,
    )


def _mean_kappa() -> Claim:
    table = record()["redundancy"]
    low, high = table["table_range"]
    kappa = np.clip((np.array(table["table_lambda2"]) - low) / (high - low), 0, 1)
    return Claim(
        name="redundancy.mean_kappa",
        published=(ClaimFigure(label="mean kappa", value=table["dynamic_mean_kappa"]),),
        recomputed=(ClaimFigure(label="of the used table, residues alike", value=float(kappa.mean())),),
        verdict="not testable here",
        why=f"the mean is of {table['chunks']} chunks whose residues were not published, through a table "
        "that does not follow from the stated formula",
        would_test=SWEEP,
    )
