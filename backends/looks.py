"""What can be seen of a loaded model beside the tokens that it generates; the same for every library."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.anatomy import ANATOMIES, experts_per_token
from backends.base import Redundancy, Session
from backends.caching import Caching
from backends.cut import FULL, Cut
from backends.loop import check_prompt, log_probabilities
from backends.parts import Parts
from backends.tapped import experts_seen, redundancy_seen


class Looks(Caching):
    """See `backends.base.Backend` for what each public method promises."""

    _model: Any
    _parts: Parts
    _experts: dict[tuple[tuple[int, ...], Cut, int], tuple[tuple[int, ...], ...]]

    @abstractmethod
    def ready(self, cut: Cut) -> None:
        """Prepare `cut`."""

    @abstractmethod
    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int, prefix: int = 0) -> Session:
        """Queue the forwards of a prompt."""

    @abstractmethod
    def _model_for(self, cut: Cut) -> Any:
        """The model under a cut that is ready."""

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32."""
        cut = cut.unguessed
        check_prompt(ids, self.info)
        self.ready(cut)
        self._fresh_cache(cut)  # refuses what `prefill` would refuse
        model = self._model_for(cut)
        with self._no_gradients(), self._per_query(model, cut):
            return self._arrays.numpy(self._logits(model, ids))

    def logits_after(self, ids: list[int], tokens: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(tokens), vocabulary) after each of `tokens`, through the cache."""
        cut = cut.unguessed
        check_prompt([*ids, *tokens], self.info)
        self.ready(cut)
        session, model = self.prefill_batch(ids, cut, batch=1), self._model_for(cut)
        rows = []
        with self._no_gradients(), self._through_cache(model, cut, session.keeping):
            for position, token in enumerate(tokens, start=len(ids)):
                rows.append(self._arrays.numpy(self._logits_at(model, session.cache, token, position)))
                session.keeping.shorten()
        return np.stack(rows)

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Natural log-probabilities, shape (len(ids) - 1,), of ids[1:]."""
        return log_probabilities(self.logits(ids, cut), ids)

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Hidden states after the final norm, shape (len(ids), width)."""
        check_prompt(ids, self.info)
        with self._no_gradients():
            return self._arrays.numpy(self._hidden(ids))

    def redundancy(self, ids: list[int], cut: Cut = FULL) -> Redundancy:
        """How little each attention, MLP and block of what `cut` leaves changes the residual stream."""
        cut = cut.unguessed
        check_prompt(ids, self.info)
        self.ready(cut)
        model = self._model_for(cut)
        with self._no_gradients():
            return redundancy_seen(
                self._parts, self._arrays, model, self._folder, run=lambda: self._logits(model, ids)
            )

    def experts_of_prompt(
        self, ids: list[int], cut: Cut = FULL, *, prefix: int = 0
    ) -> tuple[tuple[int, ...], ...]:
        """How many experts each forward of a prefill reads, by layer; without experts nothing is run."""
        anatomy, model = ANATOMIES.get(self._folder.architecture), self._model_for(cut)
        if anatomy is None or not experts_per_token(self._folder):
            return ()
        asked = (tuple(ids), cut, prefix)
        if asked not in self._experts:
            self._experts[asked] = experts_seen(
                self._parts,
                self._arrays,
                model,
                anatomy,
                run=lambda: self.prefill_batch(ids, cut, batch=1, prefix=prefix),
            )
        return self._experts[asked]
