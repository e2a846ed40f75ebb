"""What a model is seen to do while it runs: how its residual stream changes, and which experts it reads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from backends.anatomy import EXPERTS_NAMES, Anatomy, layers_of
from backends.base import Redundancy
from backends.kv_policies import Arrays
from backends.parts import Parts
from backends.streams import LayerStreams, redundancy_of


def redundancy_seen(
    parts: Parts, arrays: Arrays, model: Any, anatomy: Anatomy, *, scale: float, run: Callable[[], Any]
) -> Redundancy:
    """How little each attention, MLP and block changes the residual stream.

    Args:
        parts: The library of the model.
        arrays: Of the same library.
        model: Whole.
        anatomy: Where its layers keep what.
        scale: Factor of what attention and MLP add to the stream.
        run: Runs one forward of one row.
    """

    def noting(stream: LayerStreams, name: str, factor: float) -> Callable[[Any], None]:
        return lambda states: setattr(stream, name, arrays.numpy(states[0]).astype(np.float64) * factor)

    layers = layers_of(model)
    streams = [LayerStreams() for _ in layers]
    with ExitStack() as taps:
        for number, (layer, stream) in enumerate(zip(list(layers), streams, strict=True)):
            attention = anatomy.after_attention or anatomy.attention
            mlp = anatomy.after_mlp or anatomy.mlp_of(layer)
            for name, owner, key, factor in (
                ("attention", layer, attention, scale),
                ("mlp", layer, mlp, scale),
                ("before", layers, number, 1.0),
            ):
                note = noting(stream, name, factor)
                taps.enter_context(parts.tap(owner, key, note, of_input=name == "before"))
        run()
    return redundancy_of(streams, parallel=anatomy.parallel)


def experts_seen(
    parts: Parts, arrays: Arrays, model: Any, anatomy: Anatomy, *, run: Callable[[], Any]
) -> tuple[tuple[int, ...], ...]:
    """How many experts each forward of `run` reads, for every layer that has experts; arguments as above."""
    noted: list[list[Any]] = []
    with ExitStack() as taps:
        for layer in layers_of(model):
            mlp = getattr(layer, anatomy.mlp_of(layer), None)
            name = next((name for name in EXPERTS_NAMES if hasattr(mlp, name)), None)
            if name is not None:
                noted.append([])
                taps.enter_context(parts.tap_routes(mlp, name, noted[-1].append))
        run()
    return tuple(tuple(len(np.unique(arrays.numpy(one))) for one in layer) for layer in noted)
