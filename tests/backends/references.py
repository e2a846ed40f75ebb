"""Slow and independent ways to the tokens of a cut, for PyTorch models.

No cache, no slicing, no replaced modules: kept positions are a mask in an attention written out here,
MLP units are left out by zeroing their activations, modules by zeroing their outputs, and every token is a
forward of everything before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from backends.cut import Cut

NAMES = {"self_attn", "attention", "attn"}
OUTS = {"down_proj", "dense_4h_to_h", "c_proj"}
Stay = Callable[[np.ndarray, int], np.ndarray]
"""From the attention of a prompt (query heads, T, T) and the number of key-value heads, which positions
stay: bool, (key-value heads, T)."""


def reference_tokens(model: Any, ids: list[int], cut: Cut, new_tokens: int) -> list[int]:
    """Greedy tokens of `model` under `cut`."""
    tokens: list[int] = []
    with left_out(model, cut), masked(model, ids, cut):
        for _ in range(new_tokens):
            with torch.no_grad():
                logits = model(torch.tensor([ids + tokens]), use_cache=False).logits
            tokens.append(int(logits[0, -1].argmax()))
    return tokens


def bounded_reference(model: Any, ids: list[int], tokens: list[int], cut: Cut) -> list[int]:
    """Greedy tokens of `model` after `ids` and after each of `tokens` but the last, with a bounded cache."""
    with left_out(model, cut), bounded(model, ids, cut), torch.no_grad():
        logits = model(torch.tensor([ids + tokens[:-1]]), use_cache=False).logits[0]
    return [int(token) for token in logits[len(ids) - 1 :].argmax(-1)]


@contextmanager
def left_out(model: Any, cut: Cut) -> Iterator[None]:
    """Zero what the units and modules that are left out would add."""
    base = model.base_model
    handles = []
    for number, layer in enumerate(base.layers if hasattr(base, "layers") else base.h):
        modules = dict(layer.named_children())
        attention = next(module for name, module in modules.items() if name in NAMES)
        if number in (*cut.drop_attention, *cut.drop_blocks):
            handles.append(attention.register_forward_hook(lambda _, __, out: (out[0] * 0, None)))
        if number in (*cut.drop_mlp, *cut.drop_blocks):
            handles.append(modules["mlp"].register_forward_hook(lambda _, __, out: out * 0))
        out = next(module for name, module in modules["mlp"].named_children() if name in OUTS)
        handles.append(out.register_forward_pre_hook(zeroing_units(modules["mlp"], cut, number)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def zeroing_units(mlp: Any, cut: Cut, layer: int) -> Callable[..., Any]:
    def hook(_: Any, arguments: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        active = arguments[0].clone()
        active[..., left_out_units(mlp, cut, layer, active.shape[-1])] = 0
        return (active,)

    return hook


def left_out_units(mlp: Any, cut: Cut, layer: int, units: int) -> list[int]:
    kept = units if cut.mlp_keep == 1 else min(units, max(32, int(cut.mlp_keep * units)))
    order = list(range(units))
    if cut.mlp_policy == "random":
        order = np.random.default_rng([cut.mlp_seed, layer]).permutation(units).tolist()
    if cut.mlp_policy == "largest_norm":
        # A unit is an index along the only dimension of that size.
        squares = sum(
            weight.detach().double().movedim(weight.shape.index(units), 0).flatten(1).square().sum(1)
            for weight in mlp.parameters()
            if weight.dim() == 2
        )
        order = squares.argsort(descending=True).tolist()
    return order[kept:]


@contextmanager
def masked(model: Any, ids: list[int], cut: Cut) -> Iterator[None]:
    """Hide the positions that don't stay from every query after the prompt; the prompt sees itself whole."""
    stays: dict[int, np.ndarray] = {}
    prompt = len(ids)

    def attend(module, query, key, value, _mask, *, scaling, **_options):
        length, heads = query.shape[2], key.shape[1]
        key, value = (x.repeat_interleave(query.shape[1] // heads, dim=1) for x in (key, value))
        scores = query @ key.transpose(2, 3) * scaling
        sees = torch.ones(length, length, dtype=torch.bool).tril().repeat(query.shape[1], 1, 1)
        if module.layer_idx not in stays:  # the forward of the prompt alone
            given = scores.masked_fill(~sees, -torch.inf).softmax(-1)[0].detach().double().numpy()
            stays[module.layer_idx] = STAY[cut.kv_policy](given, heads, cut, budget_of(cut, prompt))
        stay = torch.from_numpy(stays[module.layer_idx]).repeat_interleave(query.shape[1] // heads, dim=0)
        if cut.kv_keep < 1:
            sees[:, prompt:, :prompt] = stay[:, None]
        out = scores.masked_fill(~sees, -torch.inf).softmax(-1) @ value
        return out.transpose(1, 2), None

    with attention(model, attend):
        yield


def per_query_logits(model: Any, ids: list[int], cut: Cut) -> np.ndarray:
    """Logits in which the query at t sees what a prefill of the t tokens before it would have kept."""

    def attend(_module, query, key, value, _mask, *, scaling, **_options):
        length, heads = query.shape[2], key.shape[1]
        group = query.shape[1] // heads
        key, value = (x.repeat_interleave(group, dim=1) for x in (key, value))
        scores = query @ key.transpose(2, 3) * scaling
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        given = scores.masked_fill(~causal, -torch.inf).softmax(-1)[0].double().numpy()
        sees = torch.eye(length, dtype=torch.bool).repeat(query.shape[1], 1, 1)
        for t in range(1, length):
            stay = STAY[cut.kv_policy](given[:, :t, :t], heads, cut, budget_of(cut, t))
            sees[:, t, :t] = torch.from_numpy(stay).repeat_interleave(group, dim=0)
        return (scores.masked_fill(~sees, -torch.inf).softmax(-1) @ value).transpose(1, 2), None

    with attention(model, attend), torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


@contextmanager
def bounded(model: Any, ids: list[int], cut: Cut) -> Iterator[None]:
    """Hide from each query after the prompt all but itself and what was left to it, query by query."""
    prompt, budget = len(ids), budget_of(cut, len(ids))

    def attend(_module, query, key, value, _mask, *, scaling, **_options):
        length, heads = query.shape[2], key.shape[1]
        group = query.shape[1] // heads
        key, value = (x.repeat_interleave(group, dim=1) for x in (key, value))
        scores = query @ key.transpose(2, 3) * scaling
        sees = torch.ones(length, length, dtype=torch.bool).tril().repeat(query.shape[1], 1, 1)
        given = scores.masked_fill(~sees, -torch.inf).softmax(-1)[0].double().numpy()
        held = [list(range(prompt)) for _ in range(heads)]
        for t in range(prompt, length):
            held = [
                list(np.array(had)[stay_of_head(given[:, :t], head, heads, had, cut, budget)])
                for head, had in enumerate(held)
            ]
            for head, positions in enumerate(held):
                assert len(positions) == budget
                mine = slice(head * group, (head + 1) * group)
                sees[mine, t] = False
                sees[mine, t, [*positions, t]] = True
                row = scores[0, mine, t].masked_fill(~sees[mine, t], -torch.inf).softmax(-1)
                given[mine, t] = row.double().numpy()
                positions.append(t)
        return (scores.masked_fill(~sees, -torch.inf).softmax(-1) @ value).transpose(1, 2), None

    with attention(model, attend):
        yield


def stay_of_head(
    given: np.ndarray, head: int, heads: int, held: list[int], cut: Cut, budget: int
) -> np.ndarray:
    """Which of the positions that a key-value head holds stay, by the attention of all queries so far."""
    group = len(given) // heads
    seen = given if cut.kv_policy == "tova" else given[head * group : (head + 1) * group]
    return STAY[cut.kv_policy](seen[:, :, held], 1, cut, budget)[0]


@contextmanager
def attention(model: Any, attend: Callable[..., Any]) -> Iterator[None]:
    ALL_ATTENTION_FUNCTIONS.register("reference", attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register("reference", sdpa_mask)
    former, model.config._attn_implementation = model.config._attn_implementation, "reference"
    try:
        yield
    finally:
        model.config._attn_implementation = former


def stay_window(attention: np.ndarray, heads: int, cut: Cut, budget: int) -> np.ndarray:
    tokens = attention.shape[2]
    stay = np.zeros((heads, tokens), dtype=bool)
    stay[:, tokens - budget :] = True
    return stay


def stay_sinks(attention: np.ndarray, heads: int, cut: Cut, budget: int) -> np.ndarray:
    tokens = attention.shape[2]
    sinks = min(cut.kv_sinks, budget - 1)
    stay = np.zeros((heads, tokens), dtype=bool)
    stay[:, :sinks] = True
    stay[:, tokens - (budget - sinks) :] = True
    return stay


def stay_heavy(attention: np.ndarray, heads: int, cut: Cut, budget: int) -> np.ndarray:
    tokens = attention.shape[2]
    recent = budget - budget // 2
    sums = attention.sum(axis=1).reshape(heads, -1, tokens).sum(axis=1)
    return with_largest(sums[:, : tokens - recent], budget - recent, tokens)


def stay_snapkv(attention: np.ndarray, heads: int, cut: Cut, budget: int) -> np.ndarray:
    tokens = attention.shape[2]
    window = cut.snapkv_window
    if budget <= window:
        return stay_window(attention, heads, cut, budget)
    sums = attention[:, -window:].sum(axis=1).reshape(heads, -1, tokens).sum(axis=1)
    before = sums[:, : tokens - window]
    smooth = np.stack([np.convolve(row, np.full(5, 0.2))[2 : 2 + len(row)] for row in before])
    return with_largest(smooth, budget - window, tokens)


def stay_tova(attention: np.ndarray, heads: int, cut: Cut, budget: int) -> np.ndarray:
    last = attention[:, -1].mean(axis=0)
    return with_largest(np.tile(last, (heads, 1)), budget, attention.shape[2])


def with_largest(scores: np.ndarray, count: int, tokens: int) -> np.ndarray:
    """The `count` candidates with the largest scores, and everything after the candidates."""
    stay = np.ones((len(scores), tokens), dtype=bool)
    stay[:, : scores.shape[1]] = False
    for head, row in enumerate(scores):
        stay[head, np.argsort(-row)[:count]] = True
    return stay


def budget_of(cut: Cut, tokens: int) -> int:
    return max(1, int(cut.kv_keep * tokens))


STAY: dict[str, Callable[[np.ndarray, int, Cut, int], np.ndarray]] = {
    "window": stay_window,
    "sinks_window": stay_sinks,
    "heavy_hitters": stay_heavy,
    "snapkv": stay_snapkv,
    "tova": stay_tova,
}
