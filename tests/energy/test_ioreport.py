import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from energy import ioreport as ioreport_module
from energy.base import SourceUnavailable
from energy.ioreport import ioreport

LIBRARY = """
import os, time
BEGAN = time.perf_counter()

class Energy:
    def __init__(self, seconds):
        published = {every}
        shown = seconds if not published else seconds // published * published
        self.cpu_total_mj = int({cpu_w} * 1000 * shown)
        self.gpu_mj = int(5000 * seconds)
        self.ane_mj = 0
        self.dram_mj = {dram}
        self.gpu_sram_mj = 99

class AppleEnergyMonitor:
    def __init__(self):
        {constructor}
    def get_cumulative_energy(self):
        return Energy(time.perf_counter() - BEGAN)
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch):
    """Install a stand-in of the library, here and for child processes."""

    def install(*, every: float = 0, cpu_w: float = 10, dram: str = "7", constructor: str = "pass") -> None:
        folder = tmp_path / "library"
        folder.mkdir()
        text = LIBRARY.format(every=every, cpu_w=cpu_w, dram=dram, constructor=constructor)
        (folder / "zeus_apple_silicon.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setattr(ioreport_module, "chip_name", lambda: "Apple M4 Pro")
        monkeypatch.setattr(ioreport_module, "library_version", lambda: "1.1.0")

    yield install
    sys.modules.pop("zeus_apple_silicon", None)


def measured(folder: Path, seconds: float):
    source = ioreport(interval_ms=50)
    source.start(folder)
    time.sleep(seconds)
    trace = source.trace()
    source.stop()
    return source.info, trace


def test_joules_of_live_counters(library, tmp_path: Path):
    library()
    info, trace = measured(tmp_path, 1.0)
    assert info.rails == ("cpu", "gpu", "ane", "dram")
    assert info.boundary == "soc_plus_dram"
    assert info.interval_s == pytest.approx(0.05)
    seconds = trace.end_s[-1] - trace.start_s[0]
    np.testing.assert_allclose(trace.joules.sum(axis=0)[:2] / seconds, [10, 5], rtol=0.05)


def test_readings_last_from_one_publication_to_the_next(library, tmp_path: Path, monkeypatch):
    library(every=0.3)
    monkeypatch.setattr(ioreport_module, "WATCH_S", 1.5)
    info, trace = measured(tmp_path, 2.0)
    assert info.interval_s == pytest.approx(0.3, abs=0.06)
    assert float(info.details["publishes_every_s"]) == pytest.approx(0.3, abs=0.06)
    np.testing.assert_allclose(trace.end_s - trace.start_s, 0.3, atol=0.11)
    np.testing.assert_allclose(trace.joules[:, 0], 3.0, atol=0.01)


def test_a_chip_without_dram_channel_has_a_smaller_boundary(library):
    library(dram="None")
    source = ioreport()
    source.check()
    assert source.info.boundary == "soc_cpu_gpu_ane"


def test_a_counter_that_stands_still_is_refused(library, tmp_path: Path, monkeypatch):
    library(cpu_w=0)
    monkeypatch.setattr(ioreport_module, "WATCH_S", 0.3)
    with pytest.raises(SourceUnavailable, match="moved 0 times"):
        ioreport().start(tmp_path)


@pytest.mark.parametrize(
    ("constructor", "reason"),
    [("os.abort()", "crashes here"), ("raise RuntimeError('no channels')", "no channels")],
)
def test_a_library_that_fails_does_so_in_a_child(library, constructor: str, reason: str):
    library(constructor=constructor)
    with pytest.raises(SourceUnavailable, match=reason):
        ioreport().check()


def test_an_ultra_is_refused_by_name(library, monkeypatch):
    library()
    monkeypatch.setattr(ioreport_module, "chip_name", lambda: "Apple M2 Ultra")
    with pytest.raises(SourceUnavailable, match=r"M2 Ultra.*dies"):
        ioreport().check()


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac may have it")
def test_a_machine_that_is_no_mac_is_told_what_to_use():
    assert os.name == "posix"
    with pytest.raises(SourceUnavailable, match="Apple silicon"):
        ioreport().check()
