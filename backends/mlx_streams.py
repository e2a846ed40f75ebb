"""Tap the residual stream of an mlx-lm model for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np

from backends.anatomy import Anatomy
from backends.streams import LayerStreams, States


@contextmanager
def tapped(model: Any, anatomy: Anatomy) -> Iterator[list[LayerStreams]]:
    """Note, for the next forward of one sequence, what goes into each layer and what its modules add."""
    nothing = np.empty((0, 0))
    layers, whole = model.layers, list(model.layers)
    streams = [LayerStreams(before=nothing, attention=nothing, mlp=nothing) for _ in layers]
    modules = [(layer[anatomy.attention], layer[anatomy.mlp]) for layer in whole]
    try:
        for number, (layer, stream) in enumerate(zip(whole, streams, strict=True)):
            attention, mlp = modules[number]
            layer[anatomy.attention] = Tap(attention, _note(stream, "attention"))
            layer[anatomy.mlp] = Tap(mlp, _note(stream, "mlp"))
            layers[number] = Tap(layer, _note(stream, "before"), of_input=True)
        yield streams
    finally:
        for number, (layer, (attention, mlp)) in enumerate(zip(whole, modules, strict=True)):
            layer[anatomy.attention], layer[anatomy.mlp] = attention, mlp
            layers[number] = layer


class Tap:
    """Stands in front of a module and notes what it gives, or gets."""

    def __init__(self, module: Any, note: Callable[[Any], None], *, of_input: bool = False) -> None:
        self._module = module
        self._note = note
        self._of_input = of_input

    def __call__(self, hidden: Any, *arguments: Any, **options: Any) -> Any:
        """What the module gives."""
        output = self._module(hidden, *arguments, **options)
        self._note(hidden if self._of_input else output)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _note(stream: LayerStreams, name: str) -> Callable[[Any], None]:
    def note(states: Any) -> None:
        setattr(stream, name, _states(states))

    return note


def _states(hidden: Any) -> States:
    return np.array(hidden[0].astype(mx.float32)).astype(np.float64)
