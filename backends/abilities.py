"""What not every backend can do with a loaded model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from backends.base import Generated, Session
from backends.cut import FULL, Cut


@runtime_checkable
class HasBatches(Protocol):
    """A backend that can run equal requests at a time."""

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int) -> Session:
        """As `Backend.prefill`, with so many equal rows in every forward; `decode` goes on with them.

        Raises:
            RequestError: As there; or the cut has no meaning for several rows (`lookup`).
        """


@runtime_checkable
class HasLatency(Protocol):
    """A backend whose single tokens can be timed, in a pass of its own: each of them is waited for."""

    def decode_watched(
        self, session: Session, *, max_new_tokens: int, ignore_eos: bool, after: Callable[[], None]
    ) -> Generated:
        """As `Backend.decode`, with a call of `after` as soon as the host has a token, the first included.

        With `lookup` it is called once a forward, after all tokens that it gave.
        """

    def reset_peak_memory(self) -> None:
        """From now on the peak is counted anew."""

    def peak_memory_bytes(self) -> int | None:
        """Most that the library held on the device since, weights included; None where it does not say.

        On MPS, which has no peak, what its allocator has taken from the system.
        """
