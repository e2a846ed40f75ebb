"""The prefill and decode of an mlx-lm model. Imported by `mlx_backend.load` only.

`generate_step` is not used: for M new tokens it runs one forward more than is needed, throws
it away while it is still running, and splits the prompt in two. Here a step is the forward
and the argmax, queued without waiting for the one before.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten
from mlx_lm.models.cache import make_prompt_cache
from numpy.typing import NDArray

from backends.base import BackendInfo, Generated, ModelError, Session
from backends.folder import ModelFolder
from backends.loop import check_prompt, greedy, open_session
from backends.tokenizer import Tokenizer

FINAL_NORM_NAMES = ("norm", "ln_f", "final_layer_norm", "final_layernorm")
NO_STOP: frozenset[int] = frozenset()


class MlxBackend:
    """An mlx-lm model on the default device of MLX."""

    def __init__(self, model: Any, *, tokenizer: Tokenizer, folder: ModelFolder, dtype: str) -> None:
        self.info = _info(model, folder, dtype=dtype)
        self.encode = tokenizer.encode
        self.decode_text = tokenizer.decode_text
        self._final_norm: Any = _wrap_final_norm(model, folder)
        self._model = model
        self._eos_ids = folder.eos_ids
        self._previous_wired_limit_bytes = _wire_memory()

    def prefill(self, ids: list[int]) -> Session:
        """Queue one forward over all of `ids`; the first token stays on the device, shape (1,)."""
        check_prompt(ids, self.info)
        cache = make_prompt_cache(self._model)
        with self._final_norm.keep_last():
            first = self._next_token(mx.array(ids), cache)
        return Session(prompt_tokens=len(ids), first_token=first, cache=cache)

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`; the device is idle on return."""
        cache = open_session(session, max_new_tokens, self.info)

        def step(token: Any) -> Any:
            return self._next_token(token, cache)

        generated = greedy(
            session.first_token,
            step,
            _fetch,
            max_new_tokens=max_new_tokens,
            eos_ids=NO_STOP if ignore_eos else self._eos_ids,
        )
        self.synchronize()
        return generated

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32."""
        check_prompt(ids, self.info)
        logits = self._model(mx.array(ids)[None])[0]
        return np.array(logits.astype(mx.float32))

    def synchronize(self) -> None:
        """Return when the device has nothing left to do."""
        mx.synchronize()

    def close(self) -> None:
        """Free the model's memory."""
        self._model = self._final_norm = None
        gc.collect()
        mx.clear_cache()
        if self._previous_wired_limit_bytes is not None:
            mx.set_wired_limit(self._previous_wired_limit_bytes)

    def _next_token(self, tokens: Any, cache: list[Any]) -> Any:
        """Queue one forward of `tokens` (L,) and the argmax of its last logits, (1,)."""
        logits = self._model(tokens[None], cache=cache)
        token = mx.argmax(logits[:, -1], axis=-1)
        mx.async_eval(token)  # type: ignore[no-untyped-call]
        return token


class _FinalNorm(nn.Module):  # type: ignore[misc]
    """The norm before the output head; it can pass on the last position only.

    mlx-lm's models have no `logits_to_keep`. Without it a prefill multiplies every position with
    the output matrix, a fifth more work than PyTorch does on a small model.
    """

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.norm = norm
        self._last_only = False

    def __call__(self, hidden: Any) -> Any:
        return self.norm(hidden[:, -1:] if self._last_only else hidden)

    @contextmanager
    def keep_last(self) -> Iterator[None]:
        self._last_only = True
        try:
            yield
        finally:
            self._last_only = False


def _wrap_final_norm(model: Any, folder: ModelFolder) -> _FinalNorm:
    decoder = getattr(model, "model", {})
    name = next((name for name in FINAL_NORM_NAMES if name in decoder), None)
    if name is None:
        raise ModelError(
            f"mlx: the final norm of {folder.architecture!r} is not known, so its prefill can't be made "
            "equal to PyTorch's; choose a model of type llama, mistral, qwen2, phi, gpt_neox or gpt2"
        )
    wrapped = _FinalNorm(decoder[name])
    setattr(decoder, name, wrapped)
    return wrapped


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
