"""Every study of a model on torch, on a device that refuses what MPS refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.cut import Cut
from backends.torch import load as on_torch
from bench.run.workers import model
from bench.studies.isolate.steps import Cell
from bench.studies.isolate.window import Plan
from tests.backends.mps_like import MpsLike, mps_like
from tests.bench.at_hand import WorkerHere
from tests.bench.processes import AS_ROOT, bench
from tests.tiny_models import edit_config, save_tiny_llama


class OnTheDevice(WorkerHere):
    """A worker in this process, where the device is."""

    def stop(self) -> None:
        assert {loaded.info.device for loaded in self.worker.models.values()} == {"mps"}
        super().stop()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[MpsLike]:
    monkeypatch.setattr(model, "WorkerProcess", OnTheDevice)
    with mps_like() as mode:
        yield mode


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mps")
    save_tiny_llama(folder / "tiny")
    edit_config(folder / "tiny", max_position_embeddings=4096)
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 8)
    lines = [{"id": f"p{n}", "text": f"question {n} about this", "reference": "x"} for n in range(2)]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


TEXT = ("--text", "text.txt", "--window", "48", "--stride", "24", "--windows", "1")
ANSWERS = ("--prompts", "prompts.jsonl", "--max-new-tokens", "2")
COMMANDS = {
    "quality": ("quality", "tiny", "--cut", "kv_keep=0.5", "--cut", "weight_bits=8", *TEXT, *ANSWERS),
    "redundancy": ("redundancy", "tiny", "--prompts", "prompts.jsonl"),
    "spectral": ("spectral", "tiny", "--set", "powered", "--prompts", "20"),
}


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_study_runs_there(folder: Path, device: MpsLike, command: str) -> None:
    done = bench(*COMMANDS[command], "--backend", "torch", "--json", *AS_ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert device.reads > 0


def test_every_test_of_the_isolation_runs_there(folder: Path) -> None:
    with mps_like():
        backend = on_torch.load(folder=folder / "tiny", device="mps", layers=2)
        cell = Cell(model=backend, cut=Cut(), plan=Plan(window_s=0.001, stream_bytes=4_000), tiny=backend)
        cell.open()
        assert {window.test for window in cell.round(0)} >= {f"S{n}" for n in (1, 2, 3, 4, 7, 8, 9, 10)}
