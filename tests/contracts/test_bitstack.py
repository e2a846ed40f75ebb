"""`bitstack`: matrices rebuilt from blocks; another model, which reads and holds as much as the whole one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from backends.anatomy import layers_of
from backends.base import Backend, ModelError
from backends.cut import FULL, Cut
from tests.backends.cuts.test_sign_blocks import by_the_formula
from tests.contracts.models import PROMPT, generate, load_tiny, verdict
from tests.families import save_tiny


def cut_of(bits: float, **more: object) -> Cut:
    return Cut.model_validate({"bitstack": bits, **more})


def matrices_of(backend: Backend, cut: Cut = FULL) -> list[np.ndarray]:
    """The weights of all matrices of the layers under a cut."""
    backend.ready(cut)
    model, parts = backend._model_for(cut), backend._parts
    layers = (
        sorted(parts.matrices(layer), key=lambda one: (one[1], parts.size(one[2])))
        for layer in layers_of(model)
    )
    return [parts.numbers(one) for layer in layers for _, _, one in layer]


def per_weight(backend: Backend) -> float:
    """Bits a weight of one block of every matrix of the layers."""
    sizes = [one.shape for one in matrices_of(backend)]
    return sum(m * n + 256 * (m + n) for m, n in sizes) / sum(m * n for m, n in sizes)


def error(made: list[np.ndarray], whole: list[np.ndarray]) -> float:
    """Of all weights, relative."""
    squares = [((one - other) ** 2).sum() for one, other in zip(made, whole, strict=True)]
    return float(np.sqrt(sum(squares) / sum((one**2).sum() for one in whole)))


def test_matrices_are_as_near_as_the_plain_decomposition(pair: list[Backend]):
    cut, whole = cut_of(2 * per_weight(pair[0]) + 1e-6), matrices_of(pair[0])
    by_hand = [one - by_the_formula(one) for one in whole]
    by_hand = [one - rest + by_the_formula(rest) for one, rest in zip(whole, by_hand, strict=True)]
    on_torch, on_mlx = (matrices_of(backend, cut) for backend in pair)
    for one, other in zip(on_torch, on_mlx, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert error(by_hand, whole) * 0.999 <= error(on_torch, whole) < error(by_hand, whole) * 1.05


def test_it_takes_effect_and_nothing_less_is_read_or_held(llama: Backend):
    ids, cut = llama.encode(PROMPT), cut_of(1.5 * per_weight(llama))
    llama.ready(cut)
    assert verdict(llama, cut, ids).reason == ""
    assert llama.shape(cut) == llama.shape()


def test_more_of_the_stack_is_nearer_to_the_whole_model(backends: dict[tuple[str, str], Backend]):
    """Between two whole levels too, where some matrices have a block more."""
    backend = backends["torch", "llama"]
    once, whole = per_weight(backend), matrices_of(backend)
    far = [error(matrices_of(backend, cut_of(times * once)), whole) for times in (1.01, 1.5, 2.01, 6)]
    assert far == sorted(far, reverse=True)
    assert len(set(far)) == len(far)
    assert far[-1] < 0.1 * far[0]


def test_it_composes(llama: Backend):
    ids, bits = llama.encode(PROMPT), 2.01 * per_weight(llama)
    for more in ({"drop_blocks": [1], "mlp_keep": 0.5}, {"weight_bits": 8, "kv_keep": 0.5}):
        cut = cut_of(bits, **more)
        llama.ready(cut)
        assert verdict(llama, cut, ids).reason == ""
    assert generate(llama, ids, cut, max_new_tokens=3).forwards == 2


def test_too_few_bits_are_refused_in_a_line(llama: Backend):
    least = per_weight(llama)
    with pytest.raises(
        ModelError, match=rf"bitstack = 0.5 bits a weight, but one block of each matrix takes {least:.2f}"
    ):
        llama.ready(cut_of(0.5))


def test_experts_are_refused_in_a_line(tmp_path: Path):
    experts = load_tiny("torch", save_tiny("qwen3_moe", tmp_path / "moe"))
    with pytest.raises(ModelError, match="has experts, whose lie in one array"):
        experts.ready(cut_of(8))


@pytest.mark.parametrize("bits", [0, -1, 65, "many"])
def test_values_are_checked(bits: object):
    with pytest.raises(ValidationError):
        Cut.model_validate({"bitstack": bits})
