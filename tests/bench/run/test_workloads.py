"""Which loads a machine carries."""

from __future__ import annotations

import pytest

from bench.run import workloads
from energy import machine


def test_a_stand_in_for_a_meter_has_no_load_of_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "here", lambda: machine.Platform("darwin", "arm64"))
    assert set(workloads.commands("simulated")) == {"cpu spin", "memory stream"}
    assert set(workloads.commands("measured")) == {"cpu spin", "memory stream", "gpu stream"}
