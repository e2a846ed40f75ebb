"""A folder that mlx-lm quantised runs on MLX as it is and is counted as it is; elsewhere it is refused."""

from __future__ import annotations

import json
import re
import shutil
from importlib import util
from pathlib import Path

import mlx.core as mx
import pytest
from mlx_lm.utils import load_model, quantize_model, save_config, save_model

from backends import about
from backends.base import ModelError
from backends.cut import Cut
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch
from bench.suite.from_models import ModelsAsked, suite_of
from tests.bench.at_hand import quick
from tests.bench.processes import AS_ROOT, of_type
from tests.bench.suites import write_suite
from tests.families import save_tiny
from tests.tiny_models import edit_config

IDS = [5, 9, 30, 77, 41, 12, 200, 33]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("llama", tmp_path_factory.mktemp("quantised") / "whole")


def quantised(whole: Path, bits: int, mode: str = "affine") -> Path:
    """The folder as mlx-lm's converter writes it."""
    folder = whole.parent / f"{mode}-{bits}"
    if not folder.exists():
        model, config = load_model(whole)
        model, config = quantize_model(model, config, 32, bits, mode=mode)
        save_model(folder, model)
        save_config(config, folder / "config.json")
        for file in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            shutil.copy(whole / file, folder / file)
    return folder


@pytest.mark.parametrize(("bits", "mode"), [(2, "affine"), (4, "affine"), (8, "affine"), (4, "mxfp4")])
def test_it_runs_as_mlx_lm_runs_it_and_its_bytes_are_those_of_the_file(
    whole: Path, bits: int, mode: str
) -> None:
    folder = quantised(whole, bits, mode)
    backend = on_mlx.load(folder=folder, dtype="bfloat16")
    new = backend.decode(backend.prefill(IDS), max_new_tokens=6, ignore_eos=True).tokens
    model, _ = load_model(folder)
    ids = list(IDS)
    for _ in new:
        ids.append(int(model(mx.array([ids]))[0, -1].argmax()))
    assert new == ids[len(IDS) :]
    arrays = mx.load(str(folder / "model.safetensors"))
    assert backend.info.weight_bytes == sum(array.nbytes for array in arrays.values())
    assert backend.info.parameters == on_mlx.load(folder=whole).info.parameters
    assert backend.info.dtype == "float32"  # as it was saved, whatever was asked for
    shape = backend.shape()
    assert shape is not None
    table = [array for name, array in arrays.items() if name.startswith("model.embed_tokens.")]
    assert shape.weight_bytes == backend.info.weight_bytes - sum(array.nbytes for array in table)
    assert shape.row_bytes == sum(array[0].nbytes for array in table)


def test_parts_may_be_left_out_but_not_rounded_again(whole: Path) -> None:
    backend = on_mlx.load(folder=quantised(whole, 4))
    backend.ready(Cut(drop_blocks=(1,)))
    for cut in (Cut(weight_bits=8), Cut(mlp_keep=0.5)):
        with pytest.raises(ModelError, match="came in 4 bits; give the folder of the full weights"):
            backend.ready(cut)


def test_torch_refuses_it_by_name(whole: Path) -> None:
    with pytest.raises(ModelError, match=r"quantised for MLX .*4 bits.* --backend mlx"):
        on_torch.load(folder=quantised(whole, 4))


def test_two_sizes_and_the_whole_are_configurations_of_one_run(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    four, eight = quantised(whole, 4), quantised(whole, 8)
    (tmp_path / "x.txt").write_text("one prompt\nanother prompt\n")
    monkeypatch.chdir(tmp_path)
    names = tuple(map(str, (whole, eight, four)))
    suite, _ = suite_of(ModelsAsked(models=names, prompts="x.txt", new_tokens=4))
    assert suite.backends == ("mlx",)
    planned = quick("run", *names, "--prompts", "x.txt", "--dry-run", "--json", *AS_ROOT, cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert json.loads(planned.stdout)["windows"] > 0


def test_a_backend_that_refuses_the_folder_is_named_and_the_other_goes_on(
    whole: Path, tmp_path: Path
) -> None:
    changes = {
        "backends": ["torch", "mlx"],
        "backend_options": {"torch": {"device": "cpu"}},
        "models": {"full": {"name": str(quantised(whole, 4))}},
        "gates": {"ungated": {}},
        "protocol__idle_s": 0.05,
        "protocol__min_window_s": 0.05,
        "protocol__load_deadline_s": 600.0,
        "protocol__request_deadline_s": 600.0,
    }
    write_suite(tmp_path, **changes)
    done = quick("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"backend left out: torch: .* quantised for MLX .* --backend mlx", done.stdout)
    slots = of_type(tmp_path / "results", "slot")
    assert {slot["backend"] for slot in slots} == {"mlx"}
    assert all(slot["error"] is None for slot in slots)
    alone = quick("run", "suite.toml", "--backend", "torch", cwd=tmp_path)
    assert alone.returncode == 2
    assert "quantised for MLX" in alone.stderr


@pytest.mark.parametrize(
    ("method", "packages"),
    [
        ("gptq", "optimum gptqmodel"),
        ("awq", "gptqmodel accelerate"),
        ("compressed-tensors", "compressed-tensors"),
    ],
)
def test_weights_of_another_method_name_what_runs_them(
    method: str, packages: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None if name != "torch" else name)
    monkeypatch.setattr(about.About, "require", lambda _: None)
    folder = save_tiny("llama", tmp_path)
    edit_config(folder, quantization_config={"quant_method": method, "bits": 4})
    with pytest.raises(ModelError, match=f"quantised by {method}.* install {packages}.*, or give"):
        on_torch.load(folder=folder)
