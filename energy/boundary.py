"""Joules and power of all rails of a boundary together, by reading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from energy.base import Trace

Floats = NDArray[np.float64]


def total_j(trace: Trace, rails: Sequence[str]) -> Floats:
    """Joules of these rails together, shape (n,); NaN where one of them was not measured."""
    if not rails or not set(rails) <= set(trace.rails):
        return np.full(len(trace.end_s), np.nan)
    columns = [trace.rails.index(rail) for rail in rails]
    joules: Floats = trace.joules[:, columns].sum(axis=1)
    return joules


def total_w(trace: Trace, rails: Sequence[str]) -> Floats:
    """Mean watts of these rails together over each reading, shape (n,); NaN where one was not measured."""
    length_s = trace.end_s - trace.start_s
    joules = total_j(trace, rails)
    watts: Floats = np.divide(joules, length_s, out=np.full(len(joules), np.nan), where=length_s > 0)
    return watts
