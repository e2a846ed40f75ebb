"""Scores, hidden states and redundancy: what is asked of a model outside of every window."""

import numpy as np
import torch

from backends.base import Backend
from tests.contracts.models import PROMPT, generate, logits_apart, model_on_cpu
from tests.tiny_models import LAYERS


def test_hidden_states_are_those_before_the_head(pair: list[Backend]):
    ids = pair[0].encode(PROMPT)
    on_torch, on_mlx = (backend.hidden(ids) for backend in pair)
    assert on_torch.shape == (len(ids), 64)
    assert on_torch.dtype == on_mlx.dtype == np.float32
    np.testing.assert_allclose(on_mlx, on_torch, atol=logits_apart(pair[0]))
    head = model_on_cpu(pair[0]).lm_head.weight.detach().numpy()
    np.testing.assert_allclose(on_torch @ head.T, pair[0].logits(ids), atol=1e-4)


def test_scores_are_log_probabilities_of_the_next_tokens(backend: Backend):
    ids = backend.encode(PROMPT)
    logits = backend.logits(ids).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = [np.log(probabilities[t, ids[t + 1]]) for t in range(len(ids) - 1)]
    assert backend.score(ids).dtype == np.float64
    np.testing.assert_allclose(backend.score(ids), expected, atol=1e-6)


def test_redundancy_is_that_of_the_residual_stream(pair: list[Backend]):
    ids = pair[0].encode(PROMPT)
    on_torch, on_mlx = (backend.redundancy(ids) for backend in pair)
    for kind in ("attention", "mlp", "block"):
        values = getattr(on_torch, kind)
        assert len(values) == LAYERS
        assert all(0 < value < 2 for value in values)
        np.testing.assert_allclose(getattr(on_mlx, kind), values, atol=logits_apart(pair[0]) / 10)
    assert generate(pair[1], ids, max_new_tokens=3) == generate(pair[0], ids, max_new_tokens=3)


def test_redundancy_of_blocks_by_the_library_itself(pair: list[Backend]):
    """transformers hands out the residual stream between layers."""
    ids = pair[0].encode(PROMPT)
    states = []
    model = model_on_cpu(pair[0]).base_model
    layers = model.layers if hasattr(model, "layers") else model.h
    hooks = [
        layer.register_forward_hook(lambda _, inputs, out: states.append((inputs[0], out)))
        for layer in layers
    ]
    with torch.no_grad():
        model(torch.tensor([ids]), use_cache=False)
    for hook in hooks:
        hook.remove()
    expected = [1 - float(torch.cosine_similarity(a[0], b[0], dim=-1).mean()) for a, b in states]
    np.testing.assert_allclose(pair[0].redundancy(ids).block, expected, atol=1e-5)
