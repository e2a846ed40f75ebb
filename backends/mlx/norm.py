"""The final norm of an mlx-lm model, where all that a backend wants of the hidden states passes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlx import nn

from backends.anatomy import FINAL_NORM_NAMES, decoder_of
from backends.base import ModelError
from backends.folder import ModelFolder


class FinalNorm(nn.Module):  # type: ignore[misc]
    """The norm before the output head; it can pass on the last position only, or note what it passes on.

    mlx-lm's models have no `logits_to_keep`. Without it a prefill multiplies every position with
    the output matrix, a fifth more work than PyTorch does on a small model.
    """

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.norm = norm
        self._last_only = False
        self._noted: list[Any] | None = None

    def __call__(self, hidden: Any) -> Any:
        """Normed `hidden` (1, L, width), or (1, 1, width)."""
        normed = self.norm(hidden[:, -1:] if self._last_only else hidden)
        if self._noted is not None:
            self._noted.append(normed)
        return normed

    @contextmanager
    def keep_last(self) -> Iterator[None]:
        """Pass on the last position only."""
        self._last_only = True
        try:
            yield
        finally:
            self._last_only = False

    @contextmanager
    def noting(self) -> Iterator[list[Any]]:
        """Collect what is passed on."""
        noted: list[Any] = []
        self._noted = noted
        try:
            yield noted
        finally:
            self._noted = None


def wrap_final_norm(model: Any, folder: ModelFolder) -> FinalNorm:
    """Put a `FinalNorm` around the final norm of `model`.

    Raises:
        ModelError: It is not known where the model keeps it.
    """
    decoder = decoder_of(model)
    name = next((name for name in FINAL_NORM_NAMES if name in decoder), None)
    if name is None:
        raise ModelError(
            f"mlx: the final norm of {folder.architecture!r} is not known, so its prefill can't be made "
            "equal to PyTorch's",
            fix="run it on torch alone: --backend torch",
        )
    wrapped = FinalNorm(decoder[name])
    setattr(decoder, name, wrapped)
    return wrapped
