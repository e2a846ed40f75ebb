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
    attention: States | None = None
    """What attention adds to it; None: it is left out."""
    mlp: States | None = None
    """What the MLP adds to it; None like that."""


def redundancy_of(layers: list[LayerStreams], *, parallel: bool) -> Redundancy:
    """1 - cosine of input and output, mean over tokens, of every module that is there.

    Args:
        layers: In order.
        parallel: Whether attention and MLP read the same input.
    """
    return Redundancy(
        attention=tuple(_change(s.before, s.attention) for s in layers),
        mlp=tuple(
            _change(s.before if parallel or s.attention is None else s.before + s.attention, s.mlp)
            for s in layers
        ),
        block=tuple(_change(s.before, _sum(s)) or 0.0 for s in layers),
    )


def _sum(stream: LayerStreams) -> States | None:
    """What the whole layer adds."""
    added = [states for states in (stream.attention, stream.mlp) if states is not None]
    return np.sum(added, axis=0) if added else None


def _change(before: States, added: States | None) -> float | None:
    if added is None:
        return None
    after = before + added
    products = (before * after).sum(axis=1)
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(1 - (products / lengths).mean())
