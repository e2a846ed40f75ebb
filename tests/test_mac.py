"""What only a Mac can show: the real meter, the real chip, the GPU. Everything else is tested anywhere."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench.cli.doctor.mac_state import is_virtual
from bench.run import host
from energy.base import SourceUnavailable
from energy.powermetrics import powermetrics
from tests.tiny_models import save_tiny_llama

pytestmark = [pytest.mark.mac, pytest.mark.skipif(sys.platform != "darwin", reason="needs a Mac")]


def test_the_chip_and_its_gpu_cores_are_known() -> None:
    facts = host.machine()
    assert facts["chip"].startswith("Apple")
    assert facts["os_build"]
    if is_virtual(
        facts["hw_model"]
    ):  # a paravirtual GPU has no number of cores, and nothing feeds the machine
        return
    assert facts["gpu_cores"] >= 4
    assert facts["power_source"] in ("ac", "battery", "ups")


def test_powermetrics_reads_every_rail_of_its_boundary(tmp_path: Path) -> None:
    source = powermetrics()
    try:
        source.check()
    except SourceUnavailable as why:
        pytest.skip(str(why))
    source.start(tmp_path)
    try:
        end_s = time.perf_counter() + 2.0
        assert source.wait(end_s, timeout_s=10.0)
        trace = source.trace()
    finally:
        source.stop()
    assert set(source.info.rails) <= set(trace.rails)
    assert len(trace.end_s) >= 10
    assert np.all(trace.joules[:, trace.rails.index("cpu")] > 0)
    assert trace.alignment_s < 0.05


def test_the_gpu_computes_what_the_cpu_does(tmp_path: Path) -> None:
    from backends.torch import load as on_torch

    save_tiny_llama(tmp_path / "tiny")
    ids = [1, 5, 9, 2]
    on_cpu, on_gpu = (on_torch.load(folder=tmp_path / "tiny", device=d).logits(ids) for d in ("cpu", "mps"))
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-3)


def test_mlx_runs_on_the_gpu(tmp_path: Path) -> None:
    from backends.mlx import load as on_mlx

    save_tiny_llama(tmp_path / "tiny")
    assert "gpu" in on_mlx.load(folder=tmp_path / "tiny").info.device.lower()
