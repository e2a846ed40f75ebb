"""Probes of every library that has them; the device is idle when they return."""

from pathlib import Path

import pytest

from backends.base import Backend
from backends.probing import HasProbes, Probes
from tests.contracts.models import MODEL_BACKENDS, load_tiny
from tests.tiny_models import SAVERS


@pytest.fixture(params=list(MODEL_BACKENDS))
def probes(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]) -> Probes:
    backend = load_tiny(request.param, tiny_folders["llama"])
    assert isinstance(backend, HasProbes)
    return backend.probes()


def test_a_stream_is_read_as_often_as_it_is_asked(probes: Probes):
    assert probes.stream(4_000)(3) is None


@pytest.mark.parametrize("name", list(MODEL_BACKENDS))
@pytest.mark.parametrize("model", list(SAVERS))
def test_matrices_are_those_that_a_forward_multiplies_with(
    name: str, model: str, backends: dict[tuple[str, str], Backend]
):
    backend = backends[name, model]
    shape, matrices = backend.shape(), backend.probes().matrices()
    assert matrices.flops == 2 * (shape.weights + shape.head_weights)
    assert matrices.read_bytes == matrices.flops // 2 * 4
    for masked in (False, True):
        assert matrices.products(masked) is None


def test_a_stand_in_has_none():
    assert not isinstance(load_tiny("echo", None), HasProbes)
