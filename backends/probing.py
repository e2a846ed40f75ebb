"""What the isolation asks of a library beyond running a model: its own arrays, streamed and multiplied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Matrices:
    """The matrices that a forward multiplies with."""

    products: Callable[[bool], None]
    """One row of activations times each, as linear layers do it; True masks half of every result."""
    read_bytes: int
    flops: int


class Probes(Protocol):
    """What the isolation asks of a library's own arrays; each call returns with the device idle."""

    def stream(self, size_bytes: int) -> Callable[[int], None]:
        """What reads a buffer of this size so many times, and waits for the device once, at the end."""

    def matrices(self) -> Matrices:
        """The matrices of the loaded model."""


@runtime_checkable
class HasProbes(Protocol):
    """A backend that can be probed; the isolation leaves these tests out where it can't."""

    def probes(self) -> Probes:
        """On the device of the loaded model."""
