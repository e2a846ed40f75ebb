"""The cuts on the embedded model, whose sizes and weights are real."""

from pathlib import Path

import numpy as np
import pytest

from backends.base import Backend
from backends.cut import Cut
from tests.contracts.models import MODEL_BACKENDS, generate, load_tiny

TEXT = "The capital of France is Paris. The capital of France is"
TOLERANCE = 1e-3
LAYERS = 6
"""The first ones are enough, and MLX on a CPU is slow."""

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pair(embedded_model: Path) -> list[Backend]:
    return [load_tiny(name, embedded_model, LAYERS) for name in MODEL_BACKENDS]


@pytest.fixture(scope="module")
def whole(pair: list[Backend]) -> np.ndarray:
    """Logits without a cut."""
    return pair[0].logits(pair[0].encode(TEXT))


@pytest.mark.parametrize(
    "cut",
    [
        Cut(kv_keep=0.5),
        Cut(kv_keep=0.5, kv_policy="heavy_hitters"),
        Cut(mlp_keep=0.5, mlp_policy="largest_norm"),
        Cut(drop_attention=(0,), drop_mlp=(3,), drop_blocks=(5,)),
    ],
    ids=["window", "heavy hitters", "largest norm", "drops"],
)
def test_the_libraries_agree(pair: list[Backend], whole: np.ndarray, cut: Cut):
    ids = pair[0].encode(TEXT)
    one, other = (backend.logits(ids, cut) for backend in pair)
    assert np.abs(one - other).max() < TOLERANCE
    assert np.abs(one - whole).max() > TOLERANCE
    assert generate(pair[0], ids, cut, max_new_tokens=4) == generate(pair[1], ids, cut, max_new_tokens=4)


def test_keys_need_bits_and_values_do_not(pair: list[Backend], whole: np.ndarray):
    ids = pair[0].encode(TEXT)
    cuts = [Cut(kv_bits=8), Cut(kv_bits_k=8, kv_bits_v=4), Cut(kv_bits=4)]
    eight, apart, four = (np.abs(pair[0].logits(ids, cut) - whole).mean() for cut in cuts)
    assert 0 < eight < apart < four


def test_lookup_says_the_same_in_fewer_forwards(pair: list[Backend]):
    ids = pair[0].encode(TEXT)
    for backend in pair:
        plain = generate(backend, ids, max_new_tokens=10)
        fast = generate(backend, ids, Cut(lookup=True), max_new_tokens=10)
        assert fast.tokens == plain.tokens
        assert fast.forwards <= plain.forwards
