"""What a model is seen to do while it runs: how its residual stream changes, and which experts it reads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from backends.anatomy import EXPERTS_NAMES, Anatomy, anatomy_of, layers_of
from backends.base import ModelError, Redundancy
from backends.folder import ModelFolder
from backends.kv_policies import Arrays
from backends.parts import Parts
from backends.streams import LayerStreams, redundancy_of


def redundancy_seen(
    parts: Parts, arrays: Arrays, model: Any, folder: ModelFolder, *, run: Callable[[], Any]
) -> Redundancy:
    """How little each attention, MLP and block changes the residual stream.

    Args:
        parts: The library of the model.
        arrays: Of the same library.
        model: Whole, or with parts left out.
        folder: That it was loaded from.
        run: Runs one forward of one row.

    Raises:
        ModelError: It is not known where a model of this type keeps its attention and MLP.
    """
    anatomy, scale = anatomy_of(folder), folder.config.get("residual_multiplier", 1.0)
    if "attention_out_multiplier" in folder.config:
        raise ModelError(
            f"what the attention of {folder.architecture!r} adds to the residual stream is scaled outside of "
            "it by one library and inside by another, so its change is not measured",
            fix="choose what to leave out by `bench quality`",
        )

    def noting(stream: LayerStreams, name: str, factor: float) -> Callable[[Any], None]:
        return lambda states: setattr(stream, name, arrays.numpy(states[0]).astype(np.float64) * factor)

    layers = layers_of(model)
    streams = [LayerStreams() for _ in layers]
    with ExitStack() as taps:
        for number, (layer, stream) in enumerate(zip(list(layers), streams, strict=True)):
            for name, of_input in (("before", True), ("after", False)):
                taps.enter_context(parts.tap(layers, number, noting(stream, name, 1.0), of_input=of_input))
            mlp = anatomy.mlp_of(layer)
            for name, module, key in (
                ("attention", anatomy.attention, anatomy.after_attention or anatomy.attention),
                ("mlp", mlp, anatomy.after_mlp or mlp),
            ):
                if hasattr(layer, module) and parts.weight_bytes(getattr(layer, module)):
                    note = noting(stream, name, scale)
                    taps.enter_context(parts.tap(layer, key, note, of_input=False))
        run()
    return redundancy_of(streams, parallel=anatomy.parallel, has_state=anatomy.has_state)


def experts_seen(
    parts: Parts, arrays: Arrays, model: Any, anatomy: Anatomy, *, run: Callable[[], Any]
) -> tuple[tuple[int, ...], ...]:
    """How many experts each forward of `run` reads, for every layer that has experts; arguments as above."""
    noted: list[list[Any]] = []
    with ExitStack() as taps:
        for layer in layers_of(model):
            mlp = getattr(layer, anatomy.mlp_of(layer), None)
            places = (
                (owner, name) for owner in (mlp, layer) for name in EXPERTS_NAMES if hasattr(owner, name)
            )
            if (place := next(places, None)) is not None:
                noted.append([])
                taps.enter_context(parts.tap_routes(*place, noted[-1].append))
        run()
    return tuple(tuple(len(np.unique(arrays.numpy(one))) for one in layer) for layer in noted)
