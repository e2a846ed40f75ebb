"""Every type of decoder that the libraries load runs ungated, token for token as they run it themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.abilities import HasBatches
from backends.anatomy import ANATOMIES
from backends.base import Backend, BackendError, RequestError
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
WITHOUT_MLX = ("ministral", "olmo", "gpt_oss")
"""mlx-lm does not have the first, ends the process where a package for the second is missing, and knows the
experts of the third by other names (`test_experts`)."""
COUNTED_APART = {
    "falcon_h1": "transformers holds multipliers that mlx-lm puts into the weights",
    "gemma2": "mlx-lm attends to all positions in layers with a sliding window",
    "ernie4_5_moe": "mlx-lm leaves a bias of the router out",
    "deepseek_v2": "see `test_counts`",
    "deepseek_v3": "see `test_counts`",
    "glm4_moe_lite": "as deepseek_v3",
}
"""Why torch and MLX read or multiply something else."""
ASKED = {
    "falcon_h1": Cut(drop_attention=(0,)),
    "jamba": Cut(drop_attention=(1,), drop_blocks=(0,)),
    "lfm2": Cut(drop_attention=(1,)),
    "deepseek_v2": Cut(drop_attention=(0,)),
    "deepseek_v3": Cut(drop_blocks=(0,)),
    "gemma4_text": Cut(drop_attention=(0, 4), drop_blocks=(1, 5)),
}
"""Cuts of layers whose cache the model asks for the length of all, and of some that read another's keys."""
ONE_FORWARD = {("torch", "mamba"), ("torch", "jamba")}
"""Their scans begin from nothing in every forward of several tokens."""
DROPS = ("drop_attention", "drop_mlp", "drop_blocks")
PARTLY_LEFT_OUT = {
    "mamba": {"drop_blocks"},
    "mamba2": {"drop_blocks"},
    "falcon_h1": {"drop_attention", "drop_mlp"},
    "gpt_oss": {"drop_attention", "drop_blocks"},
}
"""What is left out of types whose layers are states, or whose blocks or experts give more than one array."""
SAYS = (
    "experts instead",
    "numbers of a head",
    "multiple of 64 inputs",
    "has no ",
    "no layer has",
    "all its heads",
)
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


def test_both_count_the_same(folder: Path, pair: dict[str, Backend]) -> None:
    shapes = [shape for backend in pair.values() if (shape := backend.shape())]
    assert len(shapes) == len(pair)
    # what is held differs by a scale of the embedding, which is a tensor in one of them
    one, other = (replace(shape, held_bytes=None) for shape in (shapes[0], shapes[-1]))
    assert (one == other) == (folder.name not in COUNTED_APART)


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
        assert made >= PARTLY_LEFT_OUT.get(folder.name, {*DROPS, "sweep"})


def test_what_a_cut_leaves_out_is_counted(folder: Path, pair: dict[str, Backend]) -> None:
    for backend in pair.values():
        for heading in PARTLY_LEFT_OUT.get(folder.name, DROPS):
            backend.ready(CUTS[heading])
            assert verdict(backend, CUTS[heading], IDS).reason == ""


def test_what_others_ask_a_layer_for_does_not_go_with_it(folder: Path, pair: dict[str, Backend]) -> None:
    cut = ASKED.get(folder.name)
    if cut is None:
        return
    rows = []
    for backend in pair.values():
        rows.append(backend.logits_after(IDS, LONG[:2], cut))
        np.testing.assert_allclose(rows[-1], backend.logits([*IDS, *LONG[:2]], cut)[-2:], atol=1e-4)
    np.testing.assert_allclose(rows[0], rows[-1], atol=1e-4)


KEPT = (
    Cut(kv_keep=0.5, kv_policy="heavy_hitters"),
    Cut(kv_keep=0.5, kv_policy="tova", kv_bounded=True),
    Cut(kv_keep=0.5, drop_blocks=(0,)),
    Cut(kv_bits=8, kv_group_size=32),
)


def test_keys_beside_layers_of_states_are_cut_and_the_states_are_not(
    folder: Path, pair: dict[str, Backend]
) -> None:
    for backend in pair.values() if folder.name in ("lfm2", "jamba", "qwen3_next") else ():
        for cut in KEPT:
            backend.ready(cut)
            assert verdict(backend, cut, IDS).reason == ""
            used, full = (backend.prefill(IDS, one).used for one in (cut, FULL))
            assert used is not None
            assert full is not None
            if not cut.drop_blocks:
                assert used.state == full.state
            assert used.cache_bytes is not None


def test_keys_that_later_layers_read_are_not_left_out(folder: Path, pair: dict[str, Backend]) -> None:
    for backend in pair.values() if folder.name == "gemma4_text" else ():
        for cut in (Cut(drop_attention=(2,)), Cut(drop_blocks=(3,))):
            with pytest.raises(
                RequestError, match="whose keys and values later layers of 'gemma4_text' read"
            ):
                backend.ready(cut)


def test_chunks_and_equal_rows_change_no_token(
    folder: Path, pair: dict[str, Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    for library, backend in pair.items():
        assert isinstance(backend, HasBatches)
        if (library, folder.name) in ONE_FORWARD:
            monkeypatch.setattr(backend, "_chunk", len(LONG) - 1)
            with pytest.raises(RequestError, match="in one forward, but this one has 48 tokens"):
                backend.prefill(LONG)
            monkeypatch.undo()
            continue
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


SCANS = {
    "mamba": 2 * 128 * 8,
    "mamba2": 2 * 4 * 32 * 8,
    "falcon_h1": 2 * 4 * 16 * 8,
    "lfm2": 0,
    "jamba": 2 * 128 * 8,
    "qwen3_next": 4 * 16 * 16,
}
"""Numbers that the scans of all layers carry on: heads x their width, or channels, x the size of a state."""


def test_a_state_is_counted_and_read_by_every_forward_but_the_first(
    folder: Path, pair: dict[str, Backend]
) -> None:
    assert set(SCANS) == {
        family for family in FAMILIES if family in ANATOMIES and ANATOMIES[family].has_state
    }
    if folder.name not in SCANS:
        return
    for backend in pair.values():
        shape = backend.shape()
        made = backend.decode(backend.prefill(IDS), max_new_tokens=NEW, ignore_eos=True)
        assert shape is not None
        assert made.used is not None
        state = made.used.state
        assert state.numbers == SCANS[folder.name]
        held = len(IDS) * shape.position_bytes
        assert made.used.cache_bytes == held + state.bytes > held
        work = request_ledger(shape, FULL, prompt_tokens=len(IDS), generated=made)
        read = sum((len(IDS) + step) * shape.position_bytes for step in range(1, NEW))
        assert work.prefill.kv_bytes == held
        assert work.decode.kv_bytes == read + (NEW - 1) * state.bytes


@pytest.mark.parametrize("library", ["torch", "mlx"])
def test_a_cut_takes_effect_beyond_a_sliding_window_too(library: str, tmp_path: Path) -> None:
    backend = load_tiny(library, save_tiny("gemma2", tmp_path / "gemma2"))
    ids = IDS * 4
    assert len(ids) > FAMILIES["gemma2"]["sliding_window"]
    cut = Cut(drop_mlp=(1,), drop_attention=(0,))
    backend.ready(cut)
    assert verdict(backend, cut, ids).reason == ""


def test_a_run_of_types_that_nobody_counts_has_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uncounted = {"full": "qwen3", "small": "gemma"}
    for family in uncounted.values():
        monkeypatch.delitem(ANATOMIES, family)
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
