"""A model that another program runs: what lies between its prompt and its tokens is not to be had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from backends.base import Redundancy
from backends.cut import FULL, Cut


class ClosedModel(ABC):
    """The part of `backends.base.Backend` that such a model refuses."""

    @abstractmethod
    def _cannot(self, what: str) -> NoReturn:
        """Refuse by the name of the backend.

        Raises:
            RequestError: it can't do that.
        """

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Not to be had."""
        self._cannot("give logits")

    def logits_after(self, ids: list[int], tokens: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Not to be had."""
        self._cannot("give logits")

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Not to be had."""
        self._cannot("score a text")

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Not to be had."""
        self._cannot("give hidden states")

    def redundancy(self, ids: list[int], cut: Cut = FULL) -> Redundancy:
        """Not to be had."""
        self._cannot("compare its layers")
