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
    after: States = field(default_factory=_none)
    """The one that comes out of it."""
    attention: States | None = None
    """What attention adds to it; None: it is left out."""
    mlp: States | None = None
    """What the MLP adds to it; None like that."""


def redundancy_of(layers: list[LayerStreams], *, parallel: bool, has_state: bool = False) -> Redundancy:
    """1 - cosine of input and output, mean over tokens, of every module that is there.

    Args:
        layers: In order.
        parallel: Whether attention and MLP read the same input.
        has_state: Whether something else is added before the MLP, which is then the last that is.
    """

    def into_mlp(stream: LayerStreams) -> States:
        if has_state and stream.mlp is not None:
            return stream.after - stream.mlp
        return stream.before if parallel or stream.attention is None else stream.before + stream.attention

    return Redundancy(
        attention=tuple(_change(s.before, s.attention) for s in layers),
        mlp=tuple(_change(into_mlp(s), s.mlp) for s in layers),
        block=tuple(_change(s.before, s.after - s.before) or 0.0 for s in layers),
    )


def _change(before: States, added: States | None) -> float | None:
    if added is None:
        return None
    if not added.any():
        return 0.0
    after = before + added
    products = (before * after).sum(axis=1)
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return float(1 - (products / lengths).mean())
