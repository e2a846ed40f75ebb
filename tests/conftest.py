"""Shared fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fetch import ensure


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """Folder of the embedded model; fetched into the user's cache the first time."""
    found = ensure("smollm2-135m", None, progress=lambda *_: None)
    assert found.folder is not None
    return found.folder
