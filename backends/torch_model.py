"""The prefill and decode of a transformers model. Imported by `torch_backend.load` only.

`generate` is not used: it copies the logits to float32, runs processors, concatenates the
ids and looks for the end at every token. Here a step is the forward and the argmax.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from backends.base import BackendInfo, Generated, Session
from backends.folder import ModelFolder
from backends.loop import check_prompt, greedy, open_session
from backends.tokenizer import Tokenizer

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
        self._device = device
        self._eos_ids = folder.eos_ids

    @torch.inference_mode()
    def prefill(self, ids: list[int]) -> Session:
        """Queue one forward over all of `ids`; the first token stays on the device, shape (1, 1)."""
        check_prompt(ids, self.info)
        cache = DynamicCache(config=self._model.config)
        first = self._next_token(self._on_device([ids]), self._positions(0, len(ids)), cache)
        return Session(prompt_tokens=len(ids), first_token=first, cache=cache)

    @torch.inference_mode()
    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`; the device is idle on return."""
        cache = open_session(session, max_new_tokens, self.info)
        # All positions are made at once; a step takes a view.
        ahead = self._positions(session.prompt_tokens, session.prompt_tokens + max_new_tokens)
        positions = (ahead[:, n : n + 1] for n in range(max_new_tokens))

        def step(token: torch.Tensor) -> torch.Tensor:
            return self._next_token(token, next(positions), cache)

        generated = greedy(
            session.first_token,
            step,
            _fetch,
            max_new_tokens=max_new_tokens,
            eos_ids=NO_STOP if ignore_eos else self._eos_ids,
        )
        self.synchronize()
        return generated

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32."""
        check_prompt(ids, self.info)
        logits: torch.Tensor = self._model(
            self._on_device([ids]), position_ids=self._positions(0, len(ids)), use_cache=False
        ).logits
        return logits[0].float().cpu().numpy()

    def synchronize(self) -> None:
        """Return when the device has nothing left to do; the cpu never has."""
        if self._device.type == "mps":
            torch.mps.synchronize()
        elif self._device.type == "cuda":
            torch.cuda.synchronize()

    def close(self) -> None:
        """Free the model's memory."""
        self._model = None
        gc.collect()
        if self._device.type == "mps":
            torch.mps.empty_cache()
        elif self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _next_token(self, tokens: torch.Tensor, positions: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        """Queue one forward of `tokens` (1, L) at `positions` (1, L) and the argmax after it, (1, 1)."""
        # Positions are explicit because the model would otherwise ask the cache of layer 0 for them,
        # which is wrong as soon as that layer keeps fewer of them.
        output = self._model(
            tokens, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        return output.logits[:, -1].argmax(dim=-1, keepdim=True)  # type: ignore[no-any-return]

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
