"""Every type of decoder that the libraries load runs ungated, token for token as they run it themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.abilities import HasBatches
from backends.anatomy import ANATOMIES, WITH_STATE
from backends.base import Backend, BackendError
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from benchmarks.families import CUTS, IDS, NEW, OTHER_MODEL, open_both, walk
from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import AS_ROOT
from tests.bench.suites import write_suite
from tests.contracts.models import load_tiny, verdict
from tests.families import FAMILIES, save_tiny

LONG = [3 + 31 * n % 250 for n in range(48)]
"""Longer than the sliding windows."""
APART = {"gemma": 5e-3, "starcoder2": 5e-3, "gpt_neox": 5e-3}
"""mlx-lm has another approximation of their activation: how far logits may lie apart."""
WITHOUT_MLX = ("ministral", "olmo")
"""mlx-lm does not have the one, and ends the process where a package for the other is missing."""
NOTHING_LEFT_OUT = ("deepseek_v3", "mamba", "mamba2", "falcon_h1", "lfm2")
"""Where these keep an attention and an MLP, if they do, is not known."""

SAYS = ("has experts instead", "torch has no cache in few bits", "numbers of a head", "multiple of 64 inputs")
"""What a refusal says that is not of a type as such."""


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_tiny(request.param, tmp_path_factory.mktemp("families") / request.param)


@pytest.fixture(scope="module")
def opened(folder: Path) -> Iterator[dict[str, Backend | BackendError]]:
    found = open_both(folder)
    yield found
    for one in found.values():
        if not isinstance(one, BackendError):
            one.close()


@pytest.fixture(scope="module")
def pair(opened: dict[str, Backend | BackendError]) -> dict[str, Backend]:
    return {name: one for name, one in opened.items() if not isinstance(one, BackendError)}


def test_both_run_it_and_compute_the_same(folder: Path, pair: dict[str, Backend]) -> None:
    if folder.name in WITHOUT_MLX:
        assert list(pair) == ["torch"]
        return
    assert list(pair) == ["torch", "mlx"]
    apart = np.abs(pair["torch"].logits(IDS) - pair["mlx"].logits(IDS)).max()
    assert (apart < APART.get(folder.name, 1e-4)) == (folder.name not in OTHER_MODEL)


def test_everything_runs_and_gives_what_it_has_to_or_is_refused_by_name(
    folder: Path, opened: dict[str, Backend | BackendError]
) -> None:
    for walked in walk(folder.name, folder, opened):
        assert walked.failed == []
        if (walked.backend, folder.name) in {("mlx", name) for name in WITHOUT_MLX}:
            assert folder.name in walked.why["run"]
            continue
        assert (walked.cells["run"], walked.cells["chat"]) == ("=", "=")
        for heading, why in walked.why.items():
            assert "\n" not in why
            assert any(name in why for name in (folder.name, *SAYS)), (heading, why)
        made = {heading for heading, cell in walked.cells.items() if cell != "no"}
        assert ({"drop_attention", "drop_mlp", "drop_blocks", "sweep"} <= made) == (
            folder.name not in NOTHING_LEFT_OUT
        )


def test_what_a_cut_leaves_out_is_counted(folder: Path, pair: dict[str, Backend]) -> None:
    if folder.name in NOTHING_LEFT_OUT:
        return
    for backend in pair.values():
        for cut in (CUTS["drop_attention"], CUTS["drop_mlp"], CUTS["drop_blocks"]):
            backend.ready(cut)
            assert verdict(backend, cut, IDS).reason == ""


def test_chunks_and_equal_rows_change_no_token(
    pair: dict[str, Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in pair.values():
        assert isinstance(backend, HasBatches)
        whole = backend.decode(backend.prefill(LONG), max_new_tokens=NEW, ignore_eos=True)
        for chunk, batch in ((5, 1), (13, 2)):
            monkeypatch.setattr(backend, "_chunk", chunk)
            session = backend.prefill_batch(LONG, batch=batch)
            same = backend.decode(session, max_new_tokens=NEW, ignore_eos=True)
            monkeypatch.undo()
            assert (same.tokens, same.forwards) == (whole.tokens, whole.forwards)
            assert (same.batch, same.unlike_rows) == (batch, 0)
            assert same.used
            assert sum(same.used.chunks) == len(LONG)
            assert max(same.used.chunks) <= chunk


SCANS = {"mamba": 2 * 128 * 8, "mamba2": 2 * 4 * 32 * 8, "falcon_h1": 2 * 4 * 16 * 8, "lfm2": 0}
"""Numbers that the scans of both layers carry on: heads x their width, or channels, x the size of a state."""


def test_a_state_is_counted_and_read_by_every_forward_but_the_first(
    folder: Path, pair: dict[str, Backend]
) -> None:
    assert set(SCANS) == set(WITH_STATE)
    if folder.name not in WITH_STATE:
        return
    matrices = set()
    for backend in pair.values():
        shape = backend.shape()
        made = backend.decode(backend.prefill(IDS), max_new_tokens=NEW, ignore_eos=True)
        assert shape is not None
        assert made.used is not None
        state = made.used.state
        assert state.numbers == SCANS[folder.name]
        attending = sum(shape.windows.values())
        held = attending * len(IDS) * shape.position_bytes
        assert made.used.cache_bytes == held + state.bytes > held
        work = request_ledger(shape, FULL, prompt_tokens=len(IDS), generated=made)
        read = sum(attending * (len(IDS) + step) * shape.position_bytes for step in range(1, NEW))
        assert work.prefill.kv_bytes == held
        assert work.decode.kv_bytes == read + (NEW - 1) * state.bytes
        matrices.add((shape.layer_weights, shape.head_weights))
    assert len(matrices) == 1


@pytest.mark.parametrize("library", ["torch", "mlx"])
def test_a_cut_takes_effect_beyond_a_sliding_window_too(library: str, tmp_path: Path) -> None:
    backend = load_tiny(library, save_tiny("gemma2", tmp_path / "gemma2"))
    ids = IDS * 4
    assert len(ids) > FAMILIES["gemma2"]["sliding_window"]
    cut = Cut(drop_mlp=(1,), drop_attention=(0,))
    backend.ready(cut)
    assert verdict(backend, cut, ids).reason == ""


def test_a_run_of_types_that_nobody_counts_has_its_figures(tmp_path: Path) -> None:
    uncounted = {"full": "deepseek_v3", "small": "gemma4_text"}
    for family in uncounted.values():
        anatomy = (ANATOMIES | WITH_STATE).get(family)
        assert anatomy is None or not anatomy.counted
        save_tiny(family, tmp_path / family)
    suite = write_suite(
        tmp_path,
        **QUICK,
        backends=["torch"],
        backend_options={"torch": {"device": "cpu"}},
        models={key: {"name": family} for key, family in uncounted.items()},
        gates={"ungated": {}, "small": {"plugin": "ungated", "full": {"model": "small"}}},
    )
    done = quick("run", str(suite), "--json", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "NaN" not in done.stdout
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert {row["gate"] for row in rows} == {"ungated", "small"}
    for row in rows:
        assert row["void_windows"] == 0
        assert row["joules_per_token"] > 0
        assert row["bytes_saved_percent"] is None
