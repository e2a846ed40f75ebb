"""Tap the residual stream of a transformers model for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from torch import Tensor

from backends.anatomy import Anatomy
from backends.streams import LayerStreams, States
from backends.torch_cut import layers_of


@contextmanager
def tapped(model: Any, anatomy: Anatomy) -> Iterator[list[LayerStreams]]:
    """Note, for the next forward of one sequence, what goes into each layer and what its modules add."""
    layers = layers_of(model)
    nothing = np.empty((0, 0))
    streams = [LayerStreams(before=nothing, attention=nothing, mlp=nothing) for _ in layers]
    with ExitStack() as hooks:
        for layer, stream in zip(layers, streams, strict=True):
            before = layer.register_forward_pre_hook(_note_input(stream))
            attention = getattr(layer, anatomy.attention).register_forward_hook(_note(stream, "attention"))
            mlp = getattr(layer, anatomy.mlp).register_forward_hook(_note(stream, "mlp"))
            for handle in (before, attention, mlp):
                hooks.callback(handle.remove)
        yield streams


def _note_input(stream: LayerStreams) -> Any:
    def hook(_: Any, arguments: tuple[Any, ...]) -> None:
        stream.before = _states(arguments[0])

    return hook


def _note(stream: LayerStreams, name: str) -> Any:
    def hook(_: Any, __: Any, output: Any) -> None:
        setattr(stream, name, _states(output[0] if isinstance(output, tuple) else output))

    return hook


def _states(hidden: Tensor) -> States:
    return hidden[0].double().cpu().numpy()
