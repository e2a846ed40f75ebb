"""What not every backend can do with a loaded model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from backends.base import Backend, Generated, Session
from backends.cut import FULL, Cut


@runtime_checkable
class HasBatches(Protocol):
    """A backend that can run equal requests at a time."""

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int) -> Session:
        """As `Backend.prefill`, with so many equal rows in every forward; `decode` goes on with them.

        Raises:
            RequestError: As there; or the cut has no meaning for several rows (`lookup`, `draft`).
        """


@runtime_checkable
class HasPromptCache(Protocol):
    """A backend that can compute what prompts have in common once."""

    def keep_prefix(self, ids: list[int], cut: Cut = FULL) -> None:
        """Compute the cache of `ids`, with which prompts begin, and keep it; outside every window.

        Raises:
            RequestError: As for `Backend.prefill`; or the model's layers or the cut don't allow it.
        """

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int, prefix: int = 0) -> Session:
        """As `HasBatches`, with the first `prefix` tokens taken from what was kept, and only the rest fed.

        Raises:
            RequestError: As there; or these tokens were not kept for this cut.
        """


@runtime_checkable
class HasLatency(Protocol):
    """A backend whose single tokens can be timed, in a pass of its own: each of them is waited for."""

    def decode_watched(
        self, session: Session, *, max_new_tokens: int, ignore_eos: bool, after: Callable[[], None]
    ) -> Generated:
        """As `Backend.decode`, with a call of `after` as soon as the host has a token, the first included.

        With `lookup` or `draft` it is called once a forward, after all tokens that it gave.
        """

    def reset_peak_memory(self) -> None:
        """From now on the peak is counted anew."""

    def peak_memory_bytes(self) -> int | None:
        """Most that the library held on the device since, weights included; None where it does not say.

        On MPS, which has no peak, what its allocator has taken from the system.
        """


@runtime_checkable
class HasDrafts(Protocol):
    """A backend whose tokens another model of the same process can guess."""

    def take_drafts(self, models: Mapping[str, Backend]) -> None:
        """Models by the key that `draft` of a cut names; asked for when such a cut is made ready."""


@runtime_checkable
class HasRoundedProducts(Protocol):
    """A backend that can compute as a device with coarser products does."""

    def rounded_products(self, bits: int) -> AbstractContextManager[None]:
        """Round the float32 inputs of every product to so many explicit bits of mantissa, while this lasts.

        TF32 and float16 have 10, bfloat16 has 7; float32 itself has 23.
        """


@runtime_checkable
class HasExperts(Protocol):
    """A backend that can say which experts the tokens of a prompt are sent to."""

    def experts_of_prompt(
        self, ids: list[int], cut: Cut = FULL, *, prefix: int = 0
    ) -> tuple[tuple[int, ...], ...]:
        """How many experts each forward of a prefill reads, layer by layer; counted in a prefill of its own.

        `prefix`: as of `HasPromptCache`.

        Only layers whose MLP runs and has experts are listed; empty for a model without any.

        Raises:
            RequestError: As for `Backend.prefill`.
        """


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server said to the requests that were sent as one."""

    rows: list[tuple[int, int]]
    """Of each its prompt tokens and new tokens, as the server counted them."""
    tokens: list[int]
    """Of the first: one for each new token, made of the piece of text that came, 0 where none came."""
    text: str
    """Of the first."""


@runtime_checkable
class Serves(Protocol):
    """A backend that passes requests on to a server; what came back is read once the window is closed."""

    def ask(
        self, ids: list[int], *, max_new_tokens: int, ignore_eos: bool, batch: int, first: Callable[[], None]
    ) -> Any:
        """Send a prompt so many times and wait for all; `first` is called when the first bytes are here.

        Raises:
            RequestError: The server is gone, refuses, or breaks off.
        """

    def read(self, answers: Any) -> Reply:
        """What came back.

        Raises:
            RequestError: It is no whole answer, or its counts can't be true.
        """
