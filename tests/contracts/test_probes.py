"""Probes of every library that has them; the device is idle when they return."""

from pathlib import Path

import pytest

from backends.base import HasProbes, Probes
from tests.contracts.models import MODEL_BACKENDS, load_tiny


@pytest.fixture(params=list(MODEL_BACKENDS))
def probes(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]) -> Probes:
    backend = load_tiny(request.param, tiny_folders["llama"])
    assert isinstance(backend, HasProbes)
    return backend.probes()


def test_a_stream_is_read_as_often_as_it_is_asked(probes: Probes):
    assert probes.stream(4_000)(3) is None


def test_matrices_are_those_of_the_folder(probes: Probes, tiny_folders: dict[str, Path]):
    whole = probes.matrices(tiny_folders["llama"], dtype="float32")
    half = probes.matrices(tiny_folders["llama"], dtype="float16")
    assert whole.read_bytes == 2 * half.read_bytes > 0
    assert whole.flops == half.flops == whole.read_bytes // 2
    for masked in (False, True):
        assert whole.products(masked) is None


def test_a_stand_in_has_none():
    assert not isinstance(load_tiny("echo", None), HasProbes)
