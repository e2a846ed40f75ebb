"""The prefill and decode of an mlx-lm model. Imported by `mlx_backend.load` only.

`generate_step` is not used: for M new tokens it runs one forward more than is needed, throws
it away while it is still running, and splits the prompt in two. Here a step is the forward
and the argmax, queued without waiting for the one before.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from numpy.typing import NDArray

from backends.anatomy import ANATOMIES, anatomy_of, heads_of
from backends.base import BackendInfo, Generated, Redundancy, Session
from backends.cut import FULL, Cut
from backends.folder import ModelFolder
from backends.lookup import greedy_with_lookup
from backends.loop import check_cut, check_prompt, greedy, log_probabilities, open_session
from backends.mlx_attention import choosing, per_query
from backends.mlx_cache import cache_lengths, fresh_cache, shorten
from backends.mlx_cut import count_shape, make_cut
from backends.mlx_norm import wrap_final_norm
from backends.mlx_streams import tapped
from backends.prepared import Cuts, Prepared
from backends.shape import Shape
from backends.streams import redundancy_of
from backends.tokenizer import Tokenizer

NO_STOP: frozenset[int] = frozenset()


class MlxBackend:
    """An mlx-lm model on the default device of MLX."""

    def __init__(self, model: Any, *, tokenizer: Tokenizer, folder: ModelFolder, dtype: str) -> None:
        self.info = _info(model, folder, dtype=dtype)
        self.encode = tokenizer.encode
        self.decode_text = tokenizer.decode_text
        self._final_norm = wrap_final_norm(model, folder)
        self._model = model
        self._folder = folder
        self._eos_ids = folder.eos_ids
        self._previous_wired_limit_bytes = _wire_memory()
        self._cuts = Cuts(self._count(model), self._make)

    def ready(self, cut: Cut) -> None:
        """Prepare `cut`, so that requests switch to it at no cost."""
        self._cuts.prepare(cut, self.info)

    def forget(self) -> None:
        """Free what `ready` prepared."""
        self._cuts.forget()
        mx.clear_cache()

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """Queue one forward over all of `ids`; the first token stays on the device, shape (1,)."""
        check_prompt(ids, self.info)
        check_cut(cut, ids)
        model = self._model_for(cut)
        cache = fresh_cache(self._model, cut)
        with self._final_norm.keep_last(), choosing(model, cut) as chosen:
            first = _next_token(model, mx.array(ids), cache)
        shorten(cache, cut, len(ids), chosen)
        return Session(
            prompt_tokens=len(ids),
            first_token=first,
            cache=cache,
            ids=ids,
            cut=cut,
            used=self._cuts.get(cut).used(cache_lengths(cache)),
        )

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`; the device is idle on return."""
        cache = open_session(session, max_new_tokens, self.info)
        model, eos_ids = self._model_for(session.cut), NO_STOP if ignore_eos else self._eos_ids
        if session.cut.lookup:
            return _decode_with_lookup(model, session, cache, max_new_tokens=max_new_tokens, eos_ids=eos_ids)

        def step(token: Any) -> Any:
            return _next_token(model, token, cache)

        generated = greedy(session.first_token, step, _fetch, max_new_tokens=max_new_tokens, eos_ids=eos_ids)
        self.synchronize()
        return replace(generated, used=session.used)

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32."""
        check_prompt(ids, self.info)
        self.ready(cut)
        fresh_cache(self._model, cut)  # refuses what `prefill` would refuse
        model = self._model_for(cut)
        with per_query(model, cut):
            logits = model(mx.array(ids)[None])[0]
        return np.array(logits.astype(mx.float32))

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Natural log-probabilities, shape (len(ids) - 1,), of ids[1:]."""
        return log_probabilities(self.logits(ids, cut), ids)

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Hidden states after the final norm, shape (len(ids), width)."""
        check_prompt(ids, self.info)
        with self._final_norm.noting() as noted:
            self._model(mx.array(ids)[None])
        return np.array(noted[0][0].astype(mx.float32))

    def redundancy(self, ids: list[int]) -> Redundancy:
        """How little each attention, MLP and block changes the residual stream over `ids`."""
        check_prompt(ids, self.info)
        anatomy = anatomy_of(self._folder)
        with tapped(self._model, anatomy) as streams:
            self._model(mx.array(ids)[None])
        return redundancy_of(streams, parallel=anatomy.parallel)

    def shape(self, cut: Cut = FULL) -> Shape:
        """Counted sizes of what a forward under `cut` reads and multiplies."""
        anatomy_of(self._folder)  # says why there would be none
        shape = self._cuts.get(cut).shape
        assert shape is not None
        return shape

    def synchronize(self) -> None:
        """Return when the device has nothing left to do."""
        mx.synchronize()

    def close(self) -> None:
        """Free the model's memory."""
        self.forget()
        self._model = self._final_norm = self._cuts = None  # type: ignore[assignment]
        gc.collect()
        mx.clear_cache()
        if self._previous_wired_limit_bytes is not None:
            mx.set_wired_limit(self._previous_wired_limit_bytes)

    def _model_for(self, cut: Cut) -> Any:
        return self._model if cut is FULL or cut.weights == FULL else self._cuts.get(cut).model

    def _make(self, cut: Cut) -> Prepared:
        anatomy = anatomy_of(self._folder)
        return self._count(make_cut(self._model, anatomy, cut, shared=self._final_norm))

    def _count(self, model: Any) -> Prepared:
        anatomy = ANATOMIES.get(self._folder.architecture)
        if anatomy is None:
            return Prepared(model=model, shape=None)
        number_bytes = getattr(mx, self.info.dtype).size
        return Prepared(
            model=model,
            shape=count_shape(model, anatomy, heads=heads_of(self._folder), cache_bytes=number_bytes),
        )


def _next_token(model: Any, tokens: Any, cache: list[Any]) -> Any:
    """Queue one forward of `tokens` (L,) and the argmax of its last logits, (1,)."""
    logits = model(tokens[None], cache=cache)
    token = mx.argmax(logits[:, -1], axis=-1)
    mx.async_eval(token)  # type: ignore[no-untyped-call]
    return token


def _decode_with_lookup(
    model: Any, session: Session, cache: list[Any], *, max_new_tokens: int, eos_ids: frozenset[int]
) -> Generated:
    def verify(tokens: list[int]) -> list[int]:
        said = mx.argmax(model(mx.array([tokens]), cache=cache)[0], axis=-1)
        return [int(token) for token in np.array(said)]

    def drop(positions: int) -> None:
        for layer in cache:
            layer.trim(positions)

    generated = greedy_with_lookup(
        _fetch([session.first_token])[0],
        verify,
        drop,
        ids=session.ids,
        cut=session.cut,
        max_new_tokens=max_new_tokens,
        eos_ids=eos_ids,
    )
    mx.synchronize()
    return replace(generated, used=session.used)


def _wire_memory() -> int | None:
    """Keep the weights resident on Metal, as mlx-lm does while generating; returns the former limit."""
    limit_bytes = mx.device_info().get("max_recommended_working_set_size")
    return None if limit_bytes is None else int(mx.set_wired_limit(int(limit_bytes)))


def _fetch(tokens: Sequence[Any]) -> list[int]:
    """Ids of tokens of shape (1,): one transfer, which waits for the device."""
    return [int(token) for token in np.array(mx.concatenate(list(tokens)))]


def _device() -> str:
    if mx.default_device() != mx.Device(mx.gpu):
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def _info(model: Any, folder: ModelFolder, *, dtype: str) -> BackendInfo:
    parameters = [array for _, array in tree_flatten(model.parameters())]
    return BackendInfo(
        backend="mlx",
        device=_device(),
        dtype=dtype,
        architecture=folder.architecture,
        layers=folder.layers,
        parameters=sum(array.size for array in parameters),
        weight_bytes=sum(array.nbytes for array in parameters),
        vocabulary=folder.vocabulary,
        context=folder.context,
        cache=type(make_prompt_cache(model)[0]).__name__,
        versions={name: version(name) for name in ("mlx", "mlx-lm", "tokenizers")},
    )
