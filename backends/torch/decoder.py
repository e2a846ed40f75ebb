"""How a transformers model runs a forward. Imported by `backends.torch.load` only.

`generate` is not used: it copies the logits to float32, runs processors, concatenates the
ids and looks for the end at every token. Here a step is the forward and the argmax.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, LinearAttentionLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from backends.base import RequestError
from backends.cut import Cut
from backends.decoder import Decoder
from backends.direct import Rebuilding
from backends.folder import ModelFolder, describe
from backends.kv_bits import BITS_APART, KvBits
from backends.library import Drop, Look, Verify
from backends.prepared import InCache
from backends.probing import Probes
from backends.tokenizer import Tokenizer
from backends.torch.arrays import TorchArrays
from backends.torch.bits import rows_of
from backends.torch.cache import NoAttention, held_in, without_attention
from backends.torch.direct import TorchRebuilding
from backends.torch.load import ABOUT
from backends.torch.parts import TorchParts
from backends.torch.probes import TorchProbes
from backends.torch.rounded import RoundedProducts
from backends.torch.stored import StoredLayer, packed, unpacked

ATTENTION = "joulebench"


class TorchDecoder(Decoder):
    """A transformers model on one device."""

    STATE = LinearAttentionLayer.__name__

    def __init__(
        self,
        model: Any,
        *,
        tokenizer: Tokenizer,
        folder: ModelFolder,
        dtype: str,
        device: torch.device,
        chunk: int,
    ) -> None:
        self._device = device
        # a state-space model takes its cache under a name of its own, and would ignore the usual one
        takes = inspect.signature(model.forward).parameters
        # given a number of positions, gemma 4 runs layers that read the keys of others for these alone, as
        # MLX does not; given an index it does the same work
        shares = folder.config.get("num_kv_shared_layers")
        self._last: Any = torch.tensor([-1], device=device) if shares else 1
        self._cache_name = "cache_params" if "cache_params" in takes else "past_key_values"
        described = describe(
            folder,
            backend="torch",
            device=device.type,
            dtype=dtype,
            weights=[(p.numel(), p.nbytes) for p in model.parameters()],
            cache="DynamicCache",
            versions=ABOUT.versions(),
        )
        super().__init__(
            model,
            folder=folder,
            tokenizer=tokenizer,
            info=replace(described, casts_cache=True),
            arrays=TorchArrays(device),
            parts=TorchParts(),
            chunk=chunk,
        )

    def synchronize(self) -> None:
        """Return when the device has nothing left to do; the cpu never has."""
        if self._device.type == "mps":
            torch.mps.synchronize()
        elif self._device.type == "cuda":
            torch.cuda.synchronize()

    def reset_peak_memory(self) -> None:
        """From now on the peak is counted anew; MPS gives back what nothing uses."""
        if self._device.type == "mps":
            torch.mps.empty_cache()
        elif self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    def peak_memory_bytes(self) -> int | None:
        """Most that PyTorch held on the device since; None on the cpu, whose memory is the process's."""
        if self._device.type == "mps":
            return int(torch.mps.driver_allocated_memory())
        return int(torch.cuda.max_memory_allocated()) if self._device.type == "cuda" else None

    def rounded_products(self, bits: int) -> AbstractContextManager[None]:
        """Round what goes into every product, for as long as this lasts; float32 has 23 bits."""
        return RoundedProducts(bits)

    def probes(self) -> Probes:
        """What the isolation asks of PyTorch's own arrays."""
        return TorchProbes([rows_of(matrix) for matrix in self._multiplied()])

    def _first_token(self, model: Any, rows: list[list[int]], cache: DynamicCache, *, start: int) -> Tensor:
        positions = self._positions(start, start + len(rows[0]), batch=len(rows))
        return self._next_token(model, self._on_device(rows), positions, cache)

    def _fill(self, model: Any, rows: list[list[int]], cache: DynamicCache, *, start: int) -> None:
        positions = self._positions(start, start + len(rows[0]), batch=len(rows))
        model.base_model(
            self._on_device(rows), position_ids=positions, use_cache=True, **{self._cache_name: cache}
        )

    def _settle(self, cache: DynamicCache, more: list[Tensor]) -> None:
        """Nothing outlives its forward here."""

    def _stepper(self, model: Any, cache: Any, *, start: int, most: int, batch: int) -> Callable[[Any], Any]:
        # All positions are made at once; a step takes a view.
        ahead = self._positions(start, start + most, batch=batch)
        positions = (ahead[:, n : n + 1] for n in range(most))

        def step(token: Tensor) -> Tensor:
            return self._next_token(model, token, next(positions), cache)

        return step

    def _verifier(self, model: Any, cache: Any, *, start: int, most: int) -> tuple[Verify, Drop]:
        ahead, fed = self._positions(start, start + most), 0

        def verify(tokens: list[int]) -> list[int]:
            nonlocal fed
            positions = ahead[:, fed : fed + len(tokens)]
            fed += len(tokens)
            output = model(
                self._on_device([tokens]),
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            )
            return [int(token) for token in output.logits[0].argmax(dim=-1).tolist()]

        def drop(positions: int) -> None:
            nonlocal fed
            fed -= positions
            cache.crop(-positions)

        return verify, drop

    def _fetch(self, tokens: Sequence[Tensor]) -> list[list[int]]:
        return torch.cat(list(tokens), dim=1).tolist()

    def _logits(self, model: Any, ids: list[int]) -> Tensor:
        return self._forward(model, ids).logits[0]  # type: ignore[no-any-return]

    def _logits_at(self, model: Any, cache: Any, token: int, position: int) -> Tensor:
        at = self._positions(position, position + 1)
        return self._last_logits(model, self._on_device([[token]]), at, cache)[0]

    def _hidden(self, ids: list[int]) -> Tensor:
        return self._forward(self._model.base_model, ids).last_hidden_state[0]  # type: ignore[no-any-return]

    @contextmanager
    def _attention(self, model: Any, look: Look) -> Iterator[None]:
        """Transformers lets every layer call an attention function by name; the name is exchanged."""

        def attend(
            module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, *, scaling: float, **more: Any
        ) -> Any:
            seen = look(query, key, value, scaling)
            if seen is None:
                return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **more)
            return seen.to(query.dtype).transpose(1, 2), None

        ALL_ATTENTION_FUNCTIONS.register(ATTENTION, attend)
        ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION, sdpa_mask)
        former = model.config._attn_implementation
        model.config._attn_implementation = ATTENTION
        try:
            yield
        finally:
            model.config._attn_implementation = former

    def _new_cache(self, cut: Cut) -> DynamicCache:
        bits = cut.cache_bits
        if bits and not {bits.keys, bits.values} <= {None, *BITS_APART}:
            raise RequestError(
                f"torch holds a cache in 8 or 4 bits (kv_bits), not in {cut.kv_bits}",
                fix="use one of them, or run it with --backend mlx",
            )
        cache = DynamicCache(config=self._model.config)
        layers: list[Any] = cache.layers
        attending = [layer for layer in self._attending(cut) if layer < len(layers)]
        for layer in set(range(len(layers))).difference(attending):
            alike = (other for other in attending if type(layers[other]) is type(layers[layer]))
            if (like := next(alike, None)) is not None:
                layers[layer] = without_attention(layers, layer, like)
        return cache

    def _forked(self, cache: DynamicCache, batch: int) -> DynamicCache:
        forked = copy.copy(cache)
        forked.layers = [copy.copy(layer) for layer in cache.layers]  # an update puts other tensors in place
        for layer in cast(list[Any], forked.layers):
            if isinstance(layer, NoAttention):
                layer.layers = forked.layers
            if layer.is_initialized and batch > 1:
                layer.keys = layer.keys.expand(batch, -1, -1, -1)
                layer.values = layer.values.expand(batch, -1, -1, -1)
        return forked

    def _forgetful(self, cache: DynamicCache) -> dict[int, str]:
        kinds = enumerate(map(type, cache.layers))
        return {number: kind.__name__ for number, kind in kinds if kind not in (DynamicLayer, NoAttention)}

    def _windows(self, cache: DynamicCache) -> list[int | None]:
        return [getattr(layer, "sliding_window", None) for layer in cache.layers]

    def _keep(self, cache: DynamicCache, layer: int, index: Tensor, *, bounded: bool) -> None:
        held: Any = cache.layers[layer]
        held.keys = torch.take_along_dim(held.keys, index, 2)
        held.values = torch.take_along_dim(held.values, index, 2)

    def _store_in_few_bits(self, cache: DynamicCache, bits: KvBits | None) -> None:
        for number, layer in enumerate(cache.layers):
            if bits and type(layer) is DynamicLayer and layer.is_initialized:
                cache.layers[number] = StoredLayer(bits, layer)

    def _as_stored(self, array: Tensor, bits: int | None, group: int) -> Tensor:
        return array if bits is None else unpacked(packed(array, bits, group), group)

    def _starts_anew(self, model: Any) -> bool:
        """Transformers gives the scan of mamba and jamba no state to begin from; that of mamba 2 gets one."""
        return hasattr(sys.modules[type(model).__module__], "mamba_selective_scan")

    def _held(self, cache: DynamicCache) -> InCache:
        return held_in(cache)

    def _rebuilding(self, model: Any, cache: DynamicCache, cut: Cut) -> Rebuilding:
        return TorchRebuilding(model, cache, cut, self._parts)

    def _no_gradients(self) -> AbstractContextManager[Any]:
        return torch.inference_mode()

    def _free(self) -> None:
        if self._device.type == "mps":
            torch.mps.empty_cache()
        elif self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _forward(self, model: Any, ids: list[int]) -> Any:
        """One forward without a cache."""
        return model(self._on_device([ids]), position_ids=self._positions(0, len(ids)), use_cache=False)

    def _on_device(self, ids: list[list[int]]) -> Tensor:
        return torch.tensor(ids, device=self._device)

    def _positions(self, start: int, end: int, *, batch: int = 1) -> Tensor:
        return torch.arange(start, end, device=self._device).expand(batch, -1)

    def _next_token(self, model: Any, tokens: Tensor, positions: Tensor, cache: Any) -> Tensor:
        """Queue one forward of `tokens` (B, L) at `positions` (B, L) and the argmax after it, (B, 1)."""
        return self._last_logits(model, tokens, positions, cache).argmax(dim=-1, keepdim=True)

    def _last_logits(self, model: Any, tokens: Tensor, positions: Tensor, cache: Any) -> Tensor:
        """Queue one forward of `tokens` (B, L) at `positions` (B, L); its last logits, (B, vocabulary)."""
        # Positions are explicit because the model would otherwise ask the cache of layer 0 for them,
        # which is wrong as soon as that layer keeps fewer of them.
        named = {self._cache_name: cache}
        output = model(tokens, position_ids=positions, use_cache=True, logits_to_keep=self._last, **named)
        return output.logits[:, -1]  # type: ignore[no-any-return]
