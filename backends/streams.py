"""How much each module changes the residual stream, from what the backends tapped."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from backends.base import Redundancy

States = NDArray[np.float64]


def _none() -> States:
    return np.empty((0, 0))


@dataclass(kw_only=True)
class LayerStreams:
    """One layer over one prompt, as it was noted; arrays of shape (tokens, width)."""

    before: States = field(default_factory=_none)
    """The residual stream that goes into the layer."""
    attention: States = field(default_factory=_none)
    """What attention adds to it."""
    mlp: States = field(default_factory=_none)
    """What the MLP adds to it."""


def redundancy_of(layers: list[LayerStreams], *, parallel: bool) -> Redundancy:
    """1 - cosine of input and output, mean over tokens, of every module.

    Args:
        layers: In order.
        parallel: Whether attention and MLP read the same input.
    """
    return Redundancy(
        attention=tuple(_change(s.before, s.before + s.attention) for s in layers),
        mlp=tuple(
            _change(base, base + s.mlp)
            for s in layers
            for base in [s.before + (0 if parallel else s.attention)]
        ),
        block=tuple(_change(s.before, s.before + s.attention + s.mlp) for s in layers),
    )


def _change(before: States, after: States) -> float:
    products = (before * after).sum(axis=1)
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(1 - (products / lengths).mean())
