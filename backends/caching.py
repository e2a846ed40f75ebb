"""The cache of a request, whichever library holds it: what a cut asks of it, and forwards through it."""

from __future__ import annotations

from collections.abc import Container
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from backends.base import BackendInfo, RequestError
from backends.cut import Cut
from backends.direct import Direct
from backends.folder import ModelFolder
from backends.keeping import Keeping
from backends.kv_policies import Arrays, attend_per_query
from backends.library import Library
from backends.trial import check_cache

Kept = Keeping | Direct
"""What decides which keys and values a request goes on with."""


class Caching(Library):
    """A loaded model with the caches of its requests."""

    info: BackendInfo
    _folder: ModelFolder
    _arrays: Arrays
    _dropped: Cut
    """What the config of the checkpoint leaves out."""

    def _fresh_cache(self, cut: Cut) -> Any:
        cache = self._new_cache(cut)
        forgetful = self._forgetful(cache)
        check_cache(cut, self._folder, self.info, set(forgetful.values()), state=self.STATE)
        if cut.changes_cache and not self._holding(cut, forgetful):
            raise RequestError(
                f"{self.info.backend}: kv_keep and kv_bits are of keys and values, but no layer of "
                f"{self.info.architecture!r} holds any",
                fix="leave them out",
            )
        return cache

    def _attending(self, cut: Cut) -> list[int]:
        return [n for n in range(self.info.layers) if cut.attends(n) and self._dropped.attends(n)]

    def _holding(self, cut: Cut, forgetful: Container[int]) -> list[int]:
        """Layers that attend, and hold all positions for it."""
        return [layer for layer in self._attending(cut) if layer not in forgetful]

    def _keeping(self, model: Any, cut: Cut, cache: Any, tokens: int) -> Kept:
        if cut.kv_direct:
            library = self._rebuilding(model, cache, cut)
            return Direct(cut.kv_direct, layers=self.info.layers, library=library)
        keep = partial(self._keep, cache, bounded=cut.kv_bounded)
        layers = self._holding(cut, self._forgetful(cache)) if cut.kv_keep < 1 else []
        return Keeping(self._arrays, cut, tokens=tokens, layers=layers, keep=keep)

    def _through_cache(self, model: Any, cut: Cut, keeping: Kept) -> AbstractContextManager[None]:
        """Around the forwards of a request."""
        if isinstance(keeping, Direct):
            return keeping.watching()
        return self._attention(model, keeping.look) if keeping.look else self._reading(model, cut)

    def _per_query(self, model: Any, cut: Cut) -> AbstractContextManager[None]:
        """Let every query see only what `cut` keeps of the positions before it, if it does not keep all."""

        def look(queries: Any, keys: Any, values: Any, scale: float) -> Any:
            if bits := cut.cache_bits:
                keys = self._as_stored(keys, bits.keys, bits.group)
                values = self._as_stored(values, bits.values, bits.group)
            return attend_per_query(self._arrays, cut, queries, keys, values, scale)

        return self._attention(model, look) if cut.changes_cache else nullcontext()
