"""How an mlx-lm model runs a forward. Imported by `backends.mlx.load` only.

`generate_step` is not used: for M new tokens it runs one forward more than is needed, throws
it away while it is still running, and splits the prompt in two. Here a step is the forward
and the argmax, queued without waiting for the one before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models.cache import ArraysCache, KVCache, RotatingKVCache, make_prompt_cache
from numpy.typing import NDArray

from backends.cut import Cut
from backends.decoder import Decoder
from backends.direct import Rebuilding
from backends.folder import ModelFolder, describe
from backends.kv_bits import KvBits
from backends.library import Drop, Look, Verify
from backends.mlx.attention import exchanged
from backends.mlx.cache import BoundedCache, PositionOnly, ShortenedCache, held_in, without_attention
from backends.mlx.direct import MlxRebuilding
from backends.mlx.load import ABOUT
from backends.mlx.norm import wrap_final_norm
from backends.mlx.packed import PackedCache
from backends.mlx.parts import MlxParts
from backends.mlx.probes import MlxProbes
from backends.prepared import InCache
from backends.probing import Probes
from backends.tokenizer import Tokenizer


class MlxArrays:
    """MLX on its default device, for `kv_policies`."""

    library = mx

    def numbers(self, values: list[int]) -> Any:
        """Integers as an array."""
        return mx.array(values)

    def float32(self, array: Any) -> Any:
        """The array in float32."""
        return array.astype(mx.float32)

    def numpy(self, array: Any) -> NDArray[np.float32]:
        """The array in float32, fetched."""
        return np.array(array.astype(mx.float32))

    def widened(self, array: Any, length: int) -> Any:
        """The array with zeros after its last axis, up to this length."""
        return mx.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, length - array.shape[-1])])

    def taken(self, array: Any, index: Any) -> Any:
        """Elements `index` of the last axis; the other axes of `index` broadcast."""
        index = mx.broadcast_to(index, (*array.shape[:-1], index.shape[-1]))
        return mx.take_along_axis(array, index, axis=-1)


class MlxDecoder(Decoder):
    """An mlx-lm model on the default device of MLX."""

    STATE = ArraysCache.__name__

    def __init__(
        self, model: Any, *, tokenizer: Tokenizer, folder: ModelFolder, dtype: str, chunk: int, tf32: bool
    ) -> None:
        info = describe(
            folder,
            backend="mlx",
            device=_device(),
            dtype=_saved_dtype(model) if folder.quantised else dtype,
            weights=_weights(model),
            cache=type(make_prompt_cache(model)[0]).__name__,
            versions=ABOUT.versions(),
            settings={"tf32": int(tf32)},
        )
        self._final_norm = wrap_final_norm(model, folder)
        self._previous_wired_limit_bytes = _wire_memory()
        super().__init__(
            model,
            folder=folder,
            tokenizer=tokenizer,
            info=info,
            arrays=MlxArrays(),
            parts=MlxParts(self._final_norm),
            chunk=chunk,
        )

    def synchronize(self) -> None:
        """Return when the device has nothing left to do."""
        mx.synchronize()

    def reset_peak_memory(self) -> None:
        """From now on the peak is counted anew."""
        mx.reset_peak_memory()

    def peak_memory_bytes(self) -> int | None:
        """Most that MLX held since."""
        return int(mx.get_peak_memory())

    def probes(self) -> Probes:
        """What the isolation asks of MLX's own arrays."""
        return MlxProbes([matrix.weight for matrix in self._multiplied()])

    def close(self) -> None:
        """Free the model's memory."""
        self._final_norm = None  # type: ignore[assignment]
        super().close()
        if self._previous_wired_limit_bytes is not None:
            mx.set_wired_limit(self._previous_wired_limit_bytes)

    def _first_token(self, model: Any, rows: list[list[int]], cache: list[Any], *, start: int) -> Any:
        with self._final_norm.keep_last():
            return _queue(model, mx.array(rows), cache)

    def _fill(self, model: Any, rows: list[list[int]], cache: list[Any], *, start: int) -> None:
        model(mx.array(rows), cache=cache)  # a graph, of which only the cache is computed

    def _settle(self, cache: list[Any], more: list[Any]) -> None:
        mx.eval([layer.state for layer in cache], more)
        mx.clear_cache()

    def _stepper(self, model: Any, cache: Any, *, start: int, most: int, batch: int) -> Callable[[Any], Any]:
        def step(tokens: Any) -> Any:
            return _queue(model, tokens[:, None], cache)

        return step

    def _verifier(self, model: Any, cache: Any, *, start: int, most: int) -> tuple[Verify, Drop]:
        def verify(tokens: list[int]) -> list[int]:
            said = mx.argmax(model(mx.array([tokens]), cache=cache)[0], axis=-1)
            return [int(token) for token in np.array(said)]

        def drop(positions: int) -> None:
            for layer in cache:
                layer.trim(positions)

        return verify, drop

    def _fetch(self, tokens: Sequence[Any]) -> list[list[int]]:
        rows: Any = mx.stack(list(tokens), axis=1).tolist()
        return rows  # type: ignore[no-any-return]

    def _logits(self, model: Any, ids: list[int]) -> Any:
        return model(mx.array(ids)[None])[0]

    def _logits_at(self, model: Any, cache: list[Any], token: int, position: int) -> Any:
        return model(mx.array([[token]]), cache=cache)[0, -1]

    def _hidden(self, ids: list[int]) -> Any:
        with self._final_norm.noting() as noted:
            self._model(mx.array(ids)[None])
        return noted[0][0]

    def _attention(self, model: Any, look: Look) -> AbstractContextManager[None]:
        def attend(stock: Any, queries: Any, keys: Any, values: Any, *, scale: float, **more: Any) -> Any:
            seen = look(queries, keys, values, scale)
            return stock(queries, keys, values, scale=scale, **more) if seen is None else _as(seen, queries)

        return exchanged(model, attend, architecture=self.info.architecture)

    def _new_cache(self, cut: Cut) -> list[Any]:
        caches, attending = make_prompt_cache(self._model), self._attending(cut)
        return [
            cache if layer in attending else without_attention(cache) for layer, cache in enumerate(caches)
        ]

    def _forked(self, cache: list[Any], batch: int) -> list[Any]:
        forked = [copy.copy(layer) for layer in cache]  # an update puts other arrays in place
        for layer in forked:
            if isinstance(layer, KVCache) and batch > 1:
                layer.keys = mx.broadcast_to(layer.keys, (batch, *layer.keys.shape[1:]))
                layer.values = mx.broadcast_to(layer.values, (batch, *layer.values.shape[1:]))
        return forked

    def _forgetful(self, cache: list[Any]) -> dict[int, str]:
        kinds = enumerate(map(type, cache))
        return {number: kind.__name__ for number, kind in kinds if kind not in (KVCache, PositionOnly)}

    def _windows(self, cache: list[Any]) -> list[int | None]:
        return [layer.max_size if isinstance(layer, RotatingKVCache) else None for layer in cache]

    def _keep(self, cache: list[Any], layer: int, index: Any, *, bounded: bool) -> None:
        held = cache[layer]
        keys, values = (_taken(array, index) for array in held.keys_and_values())
        if isinstance(held, BoundedCache):
            held.keys, held.values = keys, values  # computed with the next step
            return
        mx.async_eval(keys, values)  # type: ignore[no-untyped-call]
        if bounded:
            cache[layer] = BoundedCache(keys, values, offset=held.offset)
        else:
            cache[layer] = ShortenedCache(keys, values, left_out=held.offset - keys.shape[2])

    def _store_in_few_bits(self, cache: list[Any], bits: KvBits | None) -> None:
        for layer, held in enumerate(cache):
            if bits and isinstance(held, KVCache):
                cache[layer] = PackedCache(bits, held)

    def _as_stored(self, array: Any, bits: int | None, group: int) -> Any:
        if bits is None:
            return array
        return mx.dequantize(
            *mx.quantize(array, group_size=group, bits=bits), group_size=group, bits=bits, dtype=array.dtype
        )

    def _reading(self, model: Any, cut: Cut) -> AbstractContextManager[None]:
        def read(stock: Any, queries: Any, keys: Any, values: Any, *, scale: float, **more: Any) -> Any:
            cache = more["cache"]
            if isinstance(cache, PackedCache):
                return cache.attend(queries, keys, values, scale, more["mask"])
            return stock(queries, keys, values, scale=scale, **more)

        if cut.cache_bits is None:
            return nullcontext()
        return exchanged(model, read, architecture=self.info.architecture)

    def _held(self, cache: list[Any]) -> InCache:
        return held_in(cache)

    def _rebuilding(self, model: Any, cache: list[Any], cut: Cut) -> Rebuilding:
        return MlxRebuilding(model, cache, cut, self._parts)

    def _free(self) -> None:
        mx.clear_cache()


def _weights(model: Any) -> Iterator[tuple[int, int]]:
    """Elements and bytes of what every module holds; scales are bytes of a quantised matrix, not elements."""
    for _, module in model.named_modules():
        arrays = {name: array for name, array in module.items() if isinstance(array, mx.array)}
        if "scales" in arrays:
            packed = arrays["weight"]
            size_bytes = sum(array.nbytes for array in arrays.values())
            yield packed.nbytes * 8 // module.bits, size_bytes
        else:
            yield from ((array.size, array.nbytes) for array in arrays.values())


def _saved_dtype(model: Any) -> str:
    """Of what was not quantised, in which the arithmetic and the cache are."""
    (norm, *_) = (array for name, array in tree_flatten(model.parameters()) if name.endswith("norm.weight"))
    return str(norm.dtype).rpartition(".")[2]


def _queue(model: Any, tokens: Any, cache: list[Any]) -> Any:
    """Queue one forward of `tokens` (B, L) and the argmax of its last logits, (B,)."""
    logits = model(tokens, cache=cache)
    token = mx.argmax(logits[:, -1], axis=-1)
    mx.async_eval(token)  # type: ignore[no-untyped-call]
    return token


def _as(array: Any, other: Any) -> Any:
    return array.astype(other.dtype)


def _taken(array: Any, index: Any) -> Any:
    """Positions `index` (1, key-value heads or 1, kept, 1) of `array` (B, key-value heads, T, width)."""
    batch, heads, _, width = array.shape
    return mx.take_along_axis(array, mx.broadcast_to(index, (batch, heads, index.shape[2], width)), axis=2)


def _wire_memory() -> int | None:
    """Keep the weights resident on Metal, as mlx-lm does while generating; returns the former limit."""
    limit_bytes = mx.device_info().get("max_recommended_working_set_size")
    return None if limit_bytes is None else int(mx.set_wired_limit(int(limit_bytes)))


def _device() -> str:
    if mx.default_device() != mx.Device(mx.gpu):
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"
