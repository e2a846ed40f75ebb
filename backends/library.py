"""What a library brings to a decoder: how it runs one forward, what its cache and its modules are like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from backends.cut import Cut
from backends.direct import Rebuilding
from backends.kv_bits import KvBits
from backends.prepared import InCache

Look = Callable[[Any, Any, Any, float], Any]
"""Gets queries, keys, values and the scale of an attention, and gives what it adds; None for as ever."""
Verify = Callable[[list[int]], list[int]]
"""Runs one forward of the given tokens and returns the greedy token after each of them."""
Drop = Callable[[int], None]
"""Removes so many of the last positions from the cache."""


class Library(ABC):
    """The seam between `backends.decoder` and torch, mlx or another library."""

    STATE: str
    """Kind of a layer that holds a state and no positions at all."""

    @abstractmethod
    def synchronize(self) -> None:
        """Return when the device has nothing left to do."""

    @abstractmethod
    def reset_peak_memory(self) -> None:
        """From now on the peak is counted anew."""

    @abstractmethod
    def peak_memory_bytes(self) -> int | None:
        """Most that the library held on the device since."""

    @abstractmethod
    def _first_token(self, model: Any, rows: list[list[int]], cache: Any, *, start: int) -> Any:
        """Queue one forward of equal `rows` at position `start`; the argmax of the logits at their ends."""

    @abstractmethod
    def _fill(self, model: Any, rows: list[list[int]], cache: Any, *, start: int) -> None:
        """Queue one forward that only fills the cache; arguments as of `_first_token`."""

    @abstractmethod
    def _settle(self, cache: Any, more: list[Any]) -> None:
        """Let go of what a chunk held in memory but for the cache and the arrays `more`."""

    @abstractmethod
    def _stepper(self, model: Any, cache: Any, *, start: int, most: int, batch: int) -> Callable[[Any], Any]:
        """What queues one forward of the given tokens and gives the next, still on the device.

        Args:
            model: Whole or with parts left out.
            cache: After the prefill.
            start: Position of the first new token.
            most: New tokens of a row that may come.
            batch: EqualRows.
        """

    @abstractmethod
    def _verifier(self, model: Any, cache: Any, *, start: int, most: int) -> tuple[Verify, Drop]:
        """What `lookup` and `draft` need; arguments as of `_stepper`, for one row."""

    @abstractmethod
    def _fetch(self, tokens: Sequence[Any]) -> list[list[int]]:
        """Ids of tokens on the device, row by row: one transfer, which waits for it."""

    @abstractmethod
    def _logits(self, model: Any, ids: list[int]) -> Any:
        """Logits (len(ids), vocabulary) of one forward without a cache."""

    @abstractmethod
    def _logits_at(self, model: Any, cache: Any, token: int, position: int) -> Any:
        """Logits (vocabulary,) of one forward of one token through the cache."""

    @abstractmethod
    def _hidden(self, ids: list[int]) -> Any:
        """Hidden states after the final norm, (len(ids), width)."""

    @abstractmethod
    def _attention(self, model: Any, look: Look) -> AbstractContextManager[None]:
        """Put `look` in front of every attention of `model`, in the order in which they run."""

    @abstractmethod
    def _new_cache(self, cut: Cut) -> Any:
        """An empty cache for a request under `cut`."""

    @abstractmethod
    def _forked(self, cache: Any, batch: int) -> Any:
        """A cache of equal rows that goes on from one of a single row, which stays as it is."""

    @abstractmethod
    def _forgetful(self, cache: Any) -> dict[int, str]:
        """Layers of a cache that do not hold all positions, and of what kind they are, such as a window."""

    @abstractmethod
    def _windows(self, cache: Any) -> list[int | None]:
        """Positions that each layer of a fresh cache holds at most; None: all of them."""

    @abstractmethod
    def _keep(self, cache: Any, layer: int, index: Any, *, bounded: bool) -> None:
        """Queue that a layer keeps positions `index` (1, key-value heads or 1, kept, 1) of its cache only.

        `bounded`: this comes again after every step.
        """

    @abstractmethod
    def _store_in_few_bits(self, cache: Any, bits: KvBits | None) -> None:
        """Queue that what the cache holds, and what will come, is in so many bits; None: as it is."""

    @abstractmethod
    def _as_stored(self, array: Any, bits: int | None, group: int) -> Any:
        """Keys or values as they come back from a cache in which they have so many bits."""

    @abstractmethod
    def _held(self, cache: Any) -> InCache:
        """What a cache holds."""

    @abstractmethod
    def _rebuilding(self, model: Any, cache: Any, cut: Cut) -> Rebuilding:
        """What `backends.direct` needs for one request."""

    def _starts_anew(self, model: Any) -> bool:
        """Whether a forward of several tokens forgets the state that the one before it left."""
        return False

    def _reading(self, model: Any, cut: Cut) -> AbstractContextManager[None]:
        """Around every forward of `model` through a cache under `cut`."""
        return nullcontext()

    def _no_gradients(self) -> AbstractContextManager[Any]:
        """Around everything that runs the model."""
        return nullcontext()

    @abstractmethod
    def _free(self) -> None:
        """Give memory that nothing uses back to the system."""
