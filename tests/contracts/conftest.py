"""Models shared by the contract suites."""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from backends.base import Backend
from tests.backends.mps_like import mps_like
from tests.contracts.models import DEVICE, MODEL_BACKENDS, load_tiny
from tests.tiny_models import SAVERS


@pytest.fixture(scope="session", autouse=True)
def device() -> Iterator[None]:
    """What `--device` asks for; `mps-like` is there for as long as these suites run."""
    if os.environ.get(DEVICE) != "mps-like":
        yield
        return
    with mps_like():
        yield


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a small random model for each architecture."""
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVERS.items()}


@pytest.fixture(scope="session")
def backends(tiny_folders: dict[str, Path]) -> dict[tuple[str, str], Backend]:
    return {
        (name, model): load_tiny(name, tiny_folders[model]) for name, model in product(MODEL_BACKENDS, SAVERS)
    }


@pytest.fixture(params=list(product(MODEL_BACKENDS, SAVERS)), ids="-".join)
def backend(request: pytest.FixtureRequest, backends: dict[tuple[str, str], Backend]) -> Backend:
    return backends[request.param]


@pytest.fixture(params=list(MODEL_BACKENDS))
def llama(request: pytest.FixtureRequest, backends: dict[tuple[str, str], Backend]) -> Backend:
    """Where one architecture says what all do; don't close it."""
    return backends[request.param, "llama"]


@pytest.fixture(params=list(SAVERS))
def pair(request: pytest.FixtureRequest, backends: dict[tuple[str, str], Backend]) -> list[Backend]:
    return [backends[name, request.param] for name in MODEL_BACKENDS]
