"""Devices are waited for where a library of theirs is loaded."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from bench.run.synchronize import synchronize


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand-ins of torch with both of its devices and of MLX; what was waited for."""
    calls: list[str] = []
    torch = SimpleNamespace(
        cuda=SimpleNamespace(is_initialized=lambda: True, synchronize=lambda: calls.append("cuda")),
        mps=SimpleNamespace(synchronize=lambda: calls.append("mps")),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True)),
    )
    mlx = SimpleNamespace(synchronize=lambda: calls.append("mlx"))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "mlx.core", mlx)
    return calls


def test_every_device_in_use_is_waited_for(waited: list[str]) -> None:
    synchronize()
    assert waited == ["cuda", "mps", "mlx"]


def test_a_device_that_is_not_in_use_is_left_alone(waited: list[str]) -> None:
    torch = sys.modules["torch"]
    torch.cuda.is_initialized = lambda: False
    torch.backends.mps.is_available = lambda: False
    synchronize()
    assert waited == ["mlx"]


def test_no_library_is_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "mlx.core"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    synchronize()
    assert "torch" not in sys.modules


def test_a_library_that_is_being_imported_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    monkeypatch.delitem(sys.modules, "mlx.core", raising=False)
    synchronize()


def test_the_libraries_themselves_have_what_is_called() -> None:
    torch = pytest.importorskip("torch")
    mlx = pytest.importorskip("mlx.core")
    assert callable(torch.cuda.is_initialized)
    assert callable(torch.mps.synchronize)
    mlx.synchronize()
    synchronize()
