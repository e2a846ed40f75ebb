"""The small rows that an analysis needs. Whoever stores records maps them to these.

Joules that were not measured are None. Every numeric name states its unit; counts have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from analysis.values import LEVEL, Withheld
from analysis.words import listed

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One arm held for whole passes over the prompts: the unit that joules are attributed to."""

    run: str
    block: int
    """Number of the block within the run. Blocks are what is resampled, never slots."""
    position: int
    """Order of the slot within the run, from 0."""
    arm: str
    """Name of what is compared: backend x gate, and a mark for the second A of an A/A pair."""
    backend: str
    gate: str
    requests: int
    prompt_tokens: int
    new_tokens: int
    forwards: int
    """One-token decode forwards that ran."""
    seconds_s: float
    gross_j: float | None
    net_j: float | None
    """Gross less idle power times seconds; None where that is not above zero."""
    boundary: str
    """What the joules cover, such as `soc_cpu_gpu_ane`."""
    kind: str
    """`measured`, `modelled`, `replayed` or `simulated`."""
    grade: int
    """0 for joules that no meter read in this run; 1 to 4 otherwise."""
    readings: int | None = None
    thermal: str | None = None
    """Worst thermal pressure within the slot, as the meter words it."""
    excluded: str | None = None
    """The gate, declared before the run, that this slot failed; None if it counts."""
    level: float = LEVEL
    """Of the intervals that pay for every look at its run (`analysis.looks`)."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A window with its joules and the work in it, all of one kind: a row of the fit of costs."""

    group: str
    """What shares one price list: a model key, or an arm."""
    requests: int
    prompt_tokens: int
    new_tokens: int
    joules_j: float | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One timed step of an isolation test: a stream over a buffer, or one decode step of a model."""

    test: str
    """`S1` to `S10`, as in `analysis.isolation`."""
    seconds_s: float
    read_bytes: float
    """Bytes that the step has to read: streamed weights, one embedding row, KV."""
    flops: float = 0.0
    batch: int = 1
    context: int = 0
    """Tokens already in the cache."""
    changed: bool = False
    """True for the side of a test that differs from the plain step: cut, masked, extra flops."""
    layers: float = 1.0
    """Share of the layers that ran: below 1 the launches fall with the bytes."""
    joules_j: float | None = None


@dataclass(frozen=True, kw_only=True)
class SpectralPoint:
    """One prompt of a spectral study."""

    prompt: str
    model: str
    prompt_tokens: int
    residue: int
    lambda2: float | None
    """None where the graph has two vertices or fewer."""
    lambda11: float
    lambda11_share: float | None = None
    tail_share: float | None = None
    participation: float | None = None
    mean_id: float | None = None
    log_norm: float | None = None
    whole_norm: int | None = None
    """floor of |x|, from exact integers; its remainders are the residues of every modulus."""


@dataclass(frozen=True, kw_only=True)
class Trade:
    """One point of a sweep: what it costs and what it loses. Both are better when smaller."""

    label: str
    strength: float
    """Fraction that is kept, such as kappa; 1.0 is the ungated model."""
    cost: float
    """Joules or seconds per token."""
    loss: float
    """Perplexity, KL, or 1 - agreement."""
    inactive: bool = False
    """True where the cut did not change what is computed."""


def rows_from_columns(kind: type[Row], columns: Mapping[str, Sequence[Any]]) -> list[Row] | Withheld:
    """Rows of `kind` from equally long columns, as a CSV file or a data set holds them.

    Columns that `kind` does not know are left aside. NaN and NaT become None.

    Args:
        kind: one of the dataclasses of this module.
        columns: name -> values, such as a `pandas.DataFrame`.

    Returns:
        The rows, or which columns are missing.
    """
    known = {f.name: f.default is MISSING for f in fields(kind)}  # type: ignore[arg-type]
    missing = [name for name, required in known.items() if required and name not in columns]
    if missing:
        plural = "columns" if len(missing) > 1 else "column"
        return Withheld(f"no row can be read: {plural} {listed(missing)} missing")
    present = [name for name in known if name in columns]
    values = zip(*([_plain(v) for v in columns[name]] for name in present), strict=True)
    return [kind(**dict(zip(present, row, strict=True))) for row in values]


def _plain(value: Any) -> Any:
    """A Python value; NaN, the data set's way to say not measured, becomes None."""
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value  # only NaN and NaT differ from themselves
