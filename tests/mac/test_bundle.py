"""`bench doctor --bundle` to its end on a fake Mac: every step gives its rows, and nobody is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.cli.doctor import bundle_meter, bundle_models
from bench.run.workers import model
from tests.backends.mps_like import mps_like
from tests.bench.at_hand import WorkerHere
from tests.bench.processes import AS_ROOT, bench
from tests.mac.fake import STAND_IN, FakeMac
from tests.mac.outputs import MACBOOK
from tests.tiny_models import save_tiny_llama


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once and briefly what takes minutes, with a tiny model and workers in this process."""
    folder = save_tiny_llama(tmp_path / "tiny")
    monkeypatch.setattr(model, "WorkerProcess", WorkerHere)
    monkeypatch.setattr(bundle_models, "locate", lambda *_, **__: SimpleNamespace(path=folder))
    monkeypatch.setattr(bundle_models, "TEXT", "joules and watts")
    monkeypatch.setattr(bundle_models.stream, "__kwdefaults__", {"window_s": 0.001, "size_bytes": 4_000})
    monkeypatch.setattr(bundle_meter.meter, "__kwdefaults__", {"idle_s": 0.5, "load_s": 0.5})
    monkeypatch.setattr(bundle_meter.ioreport, "__kwdefaults__", {"watch_s": 0.5})
    monkeypatch.setattr(bundle_meter, "find_lag", lambda *_: None)
    monkeypatch.setattr(bundle_meter, "run_self_test", lambda *_, **__: [])
    few = {name: bundle_models.CUTS[name] for name in ("heavy hitters", "8 bits")}
    monkeypatch.setattr(bundle_models, "CUTS", few)
    monkeypatch.setattr(bundle_models, "DTYPES", ("float32", "bfloat16"))
    for times in ("SELF_TESTS", "IDLES"):
        monkeypatch.setattr(bundle_meter, times, 1)
    monkeypatch.setattr(bundle_meter, "SETTLE_S", 0.5)


@pytest.mark.usefixtures("short")
def test_every_step_gives_its_rows(
    mac: Callable[..., FakeMac], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"ComputerName": "Ana's Mac", "LocalHostName": "Anas-Mac", "HostName": "anas-mac.example.org"}
    said = {("scutil", "--get", kind): f"{name}\n" for kind, name in names.items()}
    fake = mac({**MACBOOK, **said}, powermetrics=f'[ "$1" = -h ] && exec echo Usage of Anas-Mac\n{STAND_IN}')
    fake.library(monkeypatch, cpu_mj="9000 * t")
    with mps_like():
        done = bench("doctor", "--bundle", "mine.json", "--yes", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "mine.json").read_text()
    assert written in done.stdout
    assert "ana" not in written.lower().replace("analysis", "")
    assert str(tmp_path) not in written
    found = json.loads(written)
    assert found["not_measured"] == {}
    assert found["machine"]["chip"] == "Apple M3 Pro"
    assert found["findings"]["fit"]
    assert found["power"]["read"]["source"] == "ac"
    assert found["sleep"] == ["2026-01-02 03:05:00 +0100 Sleep", "2026-01-02 03:06:00 +0100 Wake"]
    assert {one["exit"] for one in found["powermetrics_help"].values()} == {0}
    assert found["meter"]["source"] == "powermetrics"
    assert found["meter"]["idle_w"][0] > 0
    assert found["meter"]["ends_on_closed_pipe"] is True
    assert found["meter"]["nul"]["documents"] >= found["meter"]["nul"]["before_next"] > 2
    assert [one["outcome"] for one in found["meter"]["self_tests"]] == ["failed"]  # nothing was measured
    assert found["ioreport"]["readings"] > 0
    assert found["ioreport"]["zero"] == ["ane", "dram"]
    assert len(found["logits"]) == len(bundle_models._variants())
    assert found["cuts"].pop("device") == "mps"
    assert all(far < 0.1 for far in found["logits"].values()), found["logits"]
    assert found["cuts"]["heavy hitters"] < 1e-4 < found["cuts"]["8 bits"] < 0.1
    assert found["stream"]["torch"]["device"] == "mps"
    assert found["stream"]["torch"]["bytes_per_s"] > 0
