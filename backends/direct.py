"""KV-Direct: keys and values rebuilt from the residual stream (Qasim et al., arXiv 2603.19664).

In a pre-norm decoder the keys and values of a layer are functions of the residual that enters it. The newest
`kv_hot` positions keep theirs; those of the others are rebuilt in every step, used, and let go. Two ways:

`h0`       The stream that enters the first layer is kept. Rebuilding is a forward of all old positions: a
           prefill every step.
`layers`   The stream that enters each layer is kept: two products a layer and position, but more bytes than
           the cache itself where several heads share a key.

Rows are kept of the hot positions too, because keys don't give them back. The tokens are the same up to
rounding: many positions at once are added in another order than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Literal, Protocol

Variant = Literal["h0", "layers"]


class Rebuilding(Protocol):
    """What a library does for one request."""

    def tap(self, layer: int, note: Callable[[Any], None]) -> AbstractContextManager[None]:
        """Note what enters a layer, for the length of a `with` block."""

    def join(self, streams: list[Any]) -> Any:
        """Streams (B, L, width) one after another."""

    def run(self, layer: int, stream: Any) -> tuple[Any, Any, Any]:
        """Run a layer over a stream from position 0: its keys, its values, and the stream after it.

        With `layers` the last may be None: nobody asks for it.
        """

    def shorten(self, direct: Direct) -> None:
        """Queue that every layer keeps its newest positions, and asks `direct` for the others."""


class Direct:
    """The streams of one request, and what is rebuilt from them; it stands in for `backends.keeping`."""

    after_step = None
    """Nothing is due: the caches of the layers do it."""

    def __init__(self, variant: Variant, *, layers: int, library: Rebuilding) -> None:
        """Of a model of so many `layers`."""
        self._kept_of = range(layers) if variant == "layers" else range(1)
        self._layers, self._library = layers, library
        self._streams: dict[int, Any] = {}
        self._going: Any = None
        self._is_rebuilding = self._is_short = False
        self.rebuilt_bytes = 0
        """Most bytes that were rebuilt and alive at a time."""

    @property
    def noted(self) -> list[Any]:
        """The streams that are kept."""
        return list(self._streams.values())

    @property
    def kept_bytes(self) -> int:
        """Of the streams."""
        return sum(stream.nbytes for stream in self._streams.values())

    def shorten(self) -> None:
        """Once the prompt is over, keep its newest positions only; then the caches do it themselves."""
        if not self._is_short:
            self._library.shorten(self)
        self._is_short = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep what enters the layers."""
        with ExitStack() as stack:
            for layer in self._kept_of:
                stack.enter_context(self._library.tap(layer, partial(self._note, layer)))
            yield

    def rebuild(self, layer: int, old: int) -> tuple[Any, Any]:
        """Keys and values (B, key-value heads, old, width) of a layer's first `old` positions.

        Layers are asked for in their order, and each once a step.
        """
        kept = layer in self._kept_of
        stream = self._streams[layer][:, :old] if kept else self._going
        self._is_rebuilding = True
        try:
            keys, values, after = self._library.run(layer, stream)
        finally:
            self._is_rebuilding = False
        goes_on = len(self._kept_of) == 1 and layer + 1 < self._layers
        self._going = after if goes_on else None
        alive = [keys, values, after] if goes_on else [keys, values]
        self.rebuilt_bytes = max(self.rebuilt_bytes, sum(array.nbytes for array in alive))
        return keys, values

    def _note(self, layer: int, stream: Any) -> None:
        if not self._is_rebuilding:
            before = self._streams.get(layer)
            self._streams[layer] = stream if before is None else self._library.join([before, stream])
