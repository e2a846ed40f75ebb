"""The fake Mac of a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.doctor import checks
from bench.suite import libraries
from tests.mac.fake import FakeMac


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeMac]:
    """Makes one and makes this process believe in it; `make` has the arguments."""

    def made(*arguments: Any, **options: Any) -> FakeMac:
        fake = FakeMac.make(tmp_path / "mac", *arguments, **options)
        fake.install(monkeypatch.setattr)
        monkeypatch.setattr(checks, "gpu_answers", lambda _: True)
        monkeypatch.setattr(libraries, "gpu_backend", lambda: None)  # what there is of a GPU here is no Mac's
        return fake

    return made
