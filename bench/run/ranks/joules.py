"""Joules of a window that several ranks shared: the sum of what each of their meters saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.run.joules import MeterTrust, Sources, joules_of
from bench.run.observed import Joules, RankWindow


def summed(lead: Joules, ranks: Sequence[RankWindow]) -> Joules:
    """Joules of rank 0 and of the others, over windows that the same barriers open and close.

    A barrier lets go of two ranks at instants that lie apart by its skew at most, so at either end of a
    window a rank may have drawn that much longer or shorter: the bound is the sum of the bounds, and for
    every other rank its power times twice the skew. Without joules of one rank there is no sum.
    """
    if not ranks or lead.total_j is None:
        return lead
    every = [lead, *(rank.joules for rank in ranks)]
    for rank in ranks:
        if rank.joules.total_j is None:
            why = f"rank {rank.rank} has no joules: {rank.joules.withheld}"
            nothing: dict[str, float | None] = dict.fromkeys(lead.rails_j)
            return replace(lead, total_j=None, bound_j=None, rails_j=nothing, withheld=why)
    rails = {rail: [one.rails_j.get(rail) for one in every] for rail in lead.rails_j}
    worst = min(every, key=lambda one: one.grade)
    return replace(
        worst,
        total_j=sum(one.total_j or 0.0 for one in every),
        bound_j=sum(one.bound_j or 0.0 for one in every) + sum(_skew_j(rank) for rank in ranks),
        rails_j={
            rail: sum(j for j in each if j is not None) if None not in each else None
            for rail, each in rails.items()
        },
        readings=min(one.readings for one in every),
        thermal=next((one.thermal for one in every if one.thermal != lead.thermal), lead.thermal),
    )


def _skew_j(rank: RankWindow) -> float:
    power_w = (rank.joules.total_j or 0.0) / (rank.end_s - rank.start_s)
    return 2 * power_w * rank.skew_s


def attributed_again(ranks: Sequence[RankWindow], session: Path) -> list[RankWindow]:
    """The windows of other ranks with joules from the streams that they left in a session's folder.

    Raises:
        EnergyError: one can't be read.
    """
    again = []
    for rank in ranks:
        sources = Sources.stored(session / Path(rank.meter).name).placed(None)  # within it
        [joules] = joules_of([(rank.start_s, rank.end_s)], sources, MeterTrust())
        again.append(replace(rank, joules=joules))
    return again
