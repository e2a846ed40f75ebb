"""The prefill and decode of a transformers model. Imported by `torch_backend.load` only.

`generate` is not used: it copies the logits to float32, runs processors, concatenates the
ids and looks for the end at every token. Here a step is the forward and the argmax.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from backends.anatomy import ANATOMIES, anatomy_of, heads_of
from backends.base import BackendInfo, Generated, Redundancy, Session
from backends.cut import FULL, Cut
from backends.folder import ModelFolder
from backends.lookup import greedy_with_lookup
from backends.loop import check_cut, check_prompt, greedy, log_probabilities, open_session
from backends.prepared import Cuts, Prepared
from backends.shape import Shape
from backends.streams import redundancy_of
from backends.tokenizer import Tokenizer
from backends.torch_attention import TorchArrays, choosing, per_query
from backends.torch_cache import cache_lengths, causal_mask, check_cache, shorten
from backends.torch_cut import count_shape, make_cut
from backends.torch_streams import tapped

NO_STOP: frozenset[int] = frozenset()


class TorchBackend:
    """A transformers model on one device."""

    def __init__(
        self, model: Any, *, tokenizer: Tokenizer, folder: ModelFolder, dtype: str, device: torch.device
    ) -> None:
        self.info = _info(model, folder, dtype=dtype, device=device)
        self.encode = tokenizer.encode
        self.decode_text = tokenizer.decode_text
        self._model = model
        self._folder = folder
        self._device = device
        self._arrays = TorchArrays(device)
        self._eos_ids = folder.eos_ids
        self._cuts = Cuts(self._count(model), self._make)

    def ready(self, cut: Cut) -> None:
        """Prepare `cut`, so that requests switch to it at no cost."""
        self._cuts.prepare(cut, self.info)

    def forget(self) -> None:
        """Free what `ready` prepared."""
        self._cuts.forget()

    @torch.inference_mode()
    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """Queue one forward over all of `ids`; the first token stays on the device, shape (1, 1)."""
        check_prompt(ids, self.info)
        check_cut(cut, ids)
        model, cache = self._model_for(cut), self._fresh_cache(cut)
        with choosing(model, self._arrays, cut) as chosen:
            first = self._next_token(model, self._on_device([ids]), self._positions(0, len(ids)), cache)
        shorten(cache, cut, len(ids), chosen, self._device)
        return Session(
            prompt_tokens=len(ids),
            first_token=first,
            cache=cache,
            ids=ids,
            cut=cut,
            used=self._cuts.get(cut).used(cache_lengths(cache)),
        )

    @torch.inference_mode()
    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`; the device is idle on return."""
        cache = open_session(session, max_new_tokens, self.info)
        model, eos_ids = self._model_for(session.cut), NO_STOP if ignore_eos else self._eos_ids
        # All positions are made at once; a step takes a view.
        ahead = self._positions(session.prompt_tokens, session.prompt_tokens + max_new_tokens)
        if session.cut.lookup:
            return self._decode_with_lookup(model, session, cache, ahead, eos_ids)
        positions = (ahead[:, n : n + 1] for n in range(max_new_tokens))

        def step(token: torch.Tensor) -> torch.Tensor:
            return self._next_token(model, token, next(positions), cache)

        generated = greedy(session.first_token, step, _fetch, max_new_tokens=max_new_tokens, eos_ids=eos_ids)
        self.synchronize()
        return replace(generated, used=session.used)

    @torch.inference_mode()
    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32."""
        check_prompt(ids, self.info)
        self.ready(cut)
        self._fresh_cache(cut)  # refuses what `prefill` would refuse
        model = self._model_for(cut)
        with per_query(model, self._arrays, cut):
            return self._forward(model, ids).logits[0].float().cpu().numpy()  # type: ignore[no-any-return]

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Natural log-probabilities, shape (len(ids) - 1,), of ids[1:]."""
        return log_probabilities(self.logits(ids, cut), ids)

    @torch.inference_mode()
    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Hidden states after the final norm, shape (len(ids), width)."""
        check_prompt(ids, self.info)
        states = self._forward(self._model.base_model, ids).last_hidden_state
        return states[0].float().cpu().numpy()  # type: ignore[no-any-return]

    @torch.inference_mode()
    def redundancy(self, ids: list[int]) -> Redundancy:
        """How little each attention, MLP and block changes the residual stream over `ids`."""
        check_prompt(ids, self.info)
        anatomy = anatomy_of(self._folder)
        with tapped(self._model, anatomy) as streams:
            self._forward(self._model, ids)
        return redundancy_of(streams, parallel=anatomy.parallel)

    def shape(self, cut: Cut = FULL) -> Shape:
        """Counted sizes of what a forward under `cut` reads and multiplies."""
        anatomy_of(self._folder)  # says why there would be none
        shape = self._cuts.get(cut).shape
        assert shape is not None
        return shape

    def synchronize(self) -> None:
        """Return when the device has nothing left to do; the cpu never has."""
        if self._device.type == "mps":
            torch.mps.synchronize()
        elif self._device.type == "cuda":
            torch.cuda.synchronize()

    def close(self) -> None:
        """Free the model's memory."""
        self.forget()
        self._model = self._cuts = None  # type: ignore[assignment]
        gc.collect()
        if self._device.type == "mps":
            torch.mps.empty_cache()
        elif self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _model_for(self, cut: Cut) -> Any:
        return self._model if cut is FULL or cut.weights == FULL else self._cuts.get(cut).model

    def _make(self, cut: Cut) -> Prepared:
        return self._count(make_cut(self._model, anatomy_of(self._folder), cut))

    def _count(self, model: Any) -> Prepared:
        anatomy = ANATOMIES.get(self._folder.architecture)
        if anatomy is None:
            return Prepared(model=model, shape=None)
        heads, dtype = heads_of(self._folder), getattr(torch, self.info.dtype)
        return Prepared(model=model, shape=count_shape(model, anatomy, heads=heads, cache_dtype=dtype))

    def _fresh_cache(self, cut: Cut) -> DynamicCache:
        cache = DynamicCache(config=self._model.config)
        check_cache(cache, cut)
        return cache

    def _forward(self, model: Any, ids: list[int]) -> Any:
        """One forward without a cache."""
        return model(self._on_device([ids]), position_ids=self._positions(0, len(ids)), use_cache=False)

    def _next_token(
        self, model: Any, tokens: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """Queue one forward of `tokens` (1, L) at `positions` (1, L) and the argmax after it, (1, 1)."""
        # Positions are explicit because the model would otherwise ask the cache of layer 0 for them,
        # which is wrong as soon as that layer keeps fewer of them.
        output = model(
            tokens, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        return output.logits[:, -1].argmax(dim=-1, keepdim=True)  # type: ignore[no-any-return]

    def _decode_with_lookup(
        self, model: Any, session: Session, cache: DynamicCache, ahead: torch.Tensor, eos_ids: frozenset[int]
    ) -> Generated:
        """Greedy decoding of at most `ahead.shape[1]` tokens, whose positions `ahead` holds."""
        fed = 0

        def verify(tokens: list[int]) -> list[int]:
            nonlocal fed
            positions = ahead[:, fed : fed + len(tokens)]
            fed += len(tokens)
            mask = causal_mask(cache, len(tokens), self._device)
            output = model(
                self._on_device([tokens]),
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            )
            return [int(token) for token in output.logits[0].argmax(dim=-1).tolist()]

        def drop(positions: int) -> None:
            nonlocal fed
            fed -= positions
            cache.crop(-positions)

        generated = greedy_with_lookup(
            _fetch([session.first_token])[0],
            verify,
            drop,
            ids=session.ids,
            cut=session.cut,
            max_new_tokens=ahead.shape[1],
            eos_ids=eos_ids,
        )
        self.synchronize()
        return replace(generated, used=session.used)

    def _on_device(self, ids: list[list[int]]) -> torch.Tensor:
        return torch.tensor(ids, device=self._device)

    def _positions(self, start: int, end: int) -> torch.Tensor:
        return torch.arange(start, end, device=self._device).unsqueeze(0)


def _fetch(tokens: Sequence[torch.Tensor]) -> list[int]:
    """Ids of tokens of shape (1, 1): one transfer, which waits for the device."""
    return [int(token) for token in torch.cat(list(tokens), dim=1)[0].tolist()]


def _info(model: Any, folder: ModelFolder, *, dtype: str, device: torch.device) -> BackendInfo:
    parameters = list(model.parameters())
    return BackendInfo(
        backend="torch",
        device=device.type,
        dtype=dtype,
        architecture=folder.architecture,
        layers=folder.layers,
        parameters=sum(p.numel() for p in parameters),
        weight_bytes=sum(p.numel() * p.element_size() for p in parameters),
        vocabulary=folder.vocabulary,
        context=folder.context,
        cache="DynamicCache",
        versions={name: version(name) for name in ("torch", "transformers", "tokenizers")},
    )
