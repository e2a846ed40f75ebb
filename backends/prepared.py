"""Models with parts left out, kept beside the loaded one.

Switching between them is a look-up in a dictionary, so a gate may choose another cut for every request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backends.base import BackendInfo, RequestError, Used
from backends.cut import FULL, Cut
from backends.kv_bits import KvBits
from backends.loop import check_model
from backends.shape import NO_STATE, KeptState, Shape


@dataclass(frozen=True, kw_only=True)
class InCache:
    """What the cache of a request holds, counted at its arrays."""

    lengths: tuple[int, ...]
    """Positions by layer; 0 where no attention ran."""
    bits: KvBits | None
    bytes: int | None
    """Of keys, values and states."""
    state: KeptState = NO_STATE
    """Of one row."""


@dataclass(frozen=True, kw_only=True)
class PreparedModel:
    """A model under a cut, and its counted sizes; these are None for an architecture that is not known."""

    model: Any
    shape: Shape | None

    def used(self, held: InCache, beside_bytes: int, chunks: list[int], *, prefix: int = 0) -> Used:
        """What a prefill of so many tokens a forward after `prefix`, which left such a cache, really ran."""
        return Used(
            prefix=prefix,
            cache_bits=held.bits,
            cache_bytes=None if held.bytes is None else held.bytes + beside_bytes,
            state=held.state,
            chunks=tuple(chunks),
            cache_lengths=held.lengths,
            mlp_units=tuple(layer.mlp_units for layer in self.shape.layers) if self.shape else None,
            weight_bytes=self.shape.weight_bytes if self.shape else None,
            held_bytes=self.shape.held_bytes if self.shape else None,
        )


class Cuts:
    """The cuts of one loaded model that are ready."""

    def __init__(self, full: PreparedModel, make: Callable[[Cut], PreparedModel]) -> None:
        self._full = full
        self._make = make
        self._ready: dict[Cut, PreparedModel] = {}

    def prepare(self, cut: Cut, info: BackendInfo) -> None:
        """Make the model for `cut`, unless one with the same weights is there.

        Raises:
            RequestError: The model has no such layer.
            ModelError: The backend can't make it.
        """
        check_model(cut, info)
        if cut.weights != FULL and cut.weights not in self._ready:
            self._ready[cut.weights] = self._make(cut.weights)

    def get(self, cut: Cut) -> PreparedModel:
        """The model for `cut`.

        Raises:
            RequestError: It is not ready.
        """
        if cut is FULL or cut.weights == FULL:
            return self._full
        if cut.weights not in self._ready:
            raise RequestError("this cut is not ready", fix="call ready(cut) first, outside of any window")
        return self._ready[cut.weights]

    def forget(self) -> None:
        """Drop every model but the loaded one."""
        self._ready.clear()
