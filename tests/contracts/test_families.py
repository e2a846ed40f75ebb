"""Every type of decoder that the libraries load runs ungated, token for token as they run it themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from backends.abilities import HasBatches
from backends.anatomy import ANATOMIES
from backends.base import Backend, BackendError, ModelError
from backends.cut import FULL, Cut
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch
from tests.bench.processes import AS_ROOT, bench
from tests.bench.suites import write_suite
from tests.contracts.models import load_tiny, verdict
from tests.families import FAMILIES, save_tiny

IDS = [5, 9, 30, 77, 41, 12, 200, 33, 8, 8, 9, 100]
LONG = [3 + 31 * n % 250 for n in range(48)]
"""Longer than the sliding windows."""
NEW = 6
UNLIKE = {"gemma": 5e-3, "starcoder2": 5e-3, "gpt_neox": 5e-3}
"""mlx-lm has another approximation of their activation: how far logits may lie apart."""
WITHOUT_MLX = ("olmo",)
"""mlx-lm ends the process where a package for them is missing; that is an error like others here."""
CUTS = {
    "no attention": Cut(drop_attention=(1,)),
    "no mlp": Cut(drop_mlp=(0,)),
    "no block": Cut(drop_blocks=(1,)),
    "half the mlp": Cut(mlp_keep=0.5),
    "window": Cut(kv_keep=0.5),
    "heavy hitters": Cut(kv_keep=0.5, kv_policy="heavy_hitters"),
    "lookup": Cut(lookup=True),
}


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_tiny(request.param, tmp_path_factory.mktemp("families") / request.param)


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[dict[str, Backend]]:
    loaded = {"torch": on_torch.load(folder=folder, device="cpu")}
    if folder.name not in WITHOUT_MLX:
        loaded["mlx"] = on_mlx.load(folder=folder)
    yield loaded
    for one in loaded.values():
        one.close()


def tokens(backend: Backend, cut: Cut = FULL) -> list[int]:
    backend.ready(cut)
    return backend.decode(backend.prefill(IDS, cut), max_new_tokens=NEW, ignore_eos=True).tokens


def test_it_runs_as_the_libraries_run_it(folder: Path, pair: dict[str, Backend]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([IDS])
    own = model.generate(ids, max_new_tokens=NEW, do_sample=False, eos_token_id=None)[0, len(IDS) :].tolist()
    assert tokens(pair["torch"]) == own
    if folder.name in WITHOUT_MLX:
        with pytest.raises(ModelError, match=folder.name):
            on_mlx.load(folder=folder)
        return
    assert tokens(pair["mlx"]) == own
    apart = np.abs(pair["torch"].logits(IDS) - pair["mlx"].logits(IDS)).max()
    assert apart < UNLIKE.get(folder.name, 1e-4)


@pytest.mark.parametrize(("chunk", "batch"), [(5, 1), (2048, 3), (13, 2)])
def test_chunks_and_equal_rows_change_no_token(
    pair: dict[str, Backend], chunk: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for backend in pair.values():
        assert isinstance(backend, HasBatches)
        whole = backend.decode(backend.prefill(LONG), max_new_tokens=NEW, ignore_eos=True)
        monkeypatch.setattr(backend, "_chunk", chunk)
        same = backend.decode(backend.prefill_batch(LONG, batch=batch), max_new_tokens=NEW, ignore_eos=True)
        monkeypatch.undo()
        assert (same.tokens, same.forwards) == (whole.tokens, whole.forwards)
        assert (same.batch, same.unlike_rows) == (batch, 0)
        assert same.used
        assert sum(same.used.chunks) == len(LONG)
        assert max(same.used.chunks) <= chunk


def test_a_cut_does_the_same_on_both_or_is_refused_by_name(folder: Path, pair: dict[str, Backend]) -> None:
    made, refused = set(), list[str]()
    for name, cut in CUTS.items():
        given = {}
        for library, backend in pair.items():
            try:
                new = tokens(backend, cut)
                shape = backend.shape(cut)
                counted = None if shape is None else (shape.weight_bytes, shape.windows)
                given[library] = (new, counted, backend.prefill(IDS, cut).used)
                assert cut.lookup or verdict(backend, cut, IDS).reason == "", name
            except BackendError as error:
                refused.append(str(error))
        if len(given) == 2:
            made.add(name)
            assert given["torch"] == given["mlx"], name
    assert all(folder.name in why or "layers that hold all positions" in why for why in refused), refused
    if folder.name in ANATOMIES and len(pair) == 2:
        assert made >= {"no attention", "no mlp", "no block", "half the mlp"}


@pytest.mark.parametrize("library", ["torch", "mlx"])
def test_a_cut_takes_effect_beyond_a_sliding_window_too(library: str, tmp_path: Path) -> None:
    backend = load_tiny(library, save_tiny("gemma2", tmp_path / "gemma2"))
    ids = IDS * 4
    assert len(ids) > FAMILIES["gemma2"]["sliding_window"]
    cut = Cut(drop_mlp=(1,), drop_attention=(0,))
    backend.ready(cut)
    assert verdict(backend, cut, ids).reason == ""


def test_a_run_of_types_that_nobody_counts_has_its_figures(tmp_path: Path) -> None:
    uncounted = {"full": "granitemoe", "small": "mamba"}
    for family in uncounted.values():
        assert family not in ANATOMIES
        save_tiny(family, tmp_path / family)
    suite = write_suite(
        tmp_path,
        backends=["torch"],
        backend_options={"torch": {"device": "cpu"}},
        models={key: {"name": family} for key, family in uncounted.items()},
        gates={"ungated": {}, "small": {"plugin": "ungated", "full": {"model": "small"}}},
    )
    done = bench("run", str(suite), "--json", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "NaN" not in done.stdout
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert {row["gate"] for row in rows} == {"ungated", "small"}
    for row in rows:
        assert row["void_windows"] == 0
        assert row["joules_per_token"] > 0
        assert row["bytes_saved_percent"] is None
