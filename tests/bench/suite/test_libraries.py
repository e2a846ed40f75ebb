"""What is asked of a backend by its name, and what its library does in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backends import about as saying
from backends.about import About
from bench.errors import UserError
from bench.suite import libraries
from energy import machine
from tests.tiny_models import LAYERS, save_tiny_llama


def test_packages_are_those_of_all_backends() -> None:
    assert set(libraries.packages()) == {
        "torch",
        "transformers",
        "mlx",
        "mlx-lm",
        "mlx-cpu",
        "tokenizers",
        "xllamacpp",
    }


def test_weight_files_are_named_once() -> None:
    assert libraries.weight_files(["torch", "mlx"]) == ("*.safetensors",)


def test_a_backend_whose_library_is_missing_is_refused_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saying.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"backend 'mlx' needs mlx and mlx_lm, .* 'joulebench\[mlx\]'"):
        libraries.check("mlx", ["float32"])
    libraries.check("echo", ["float32"])
    assert libraries.gpu_backend() is None


def test_a_dtype_that_a_backend_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(UserError, match=r"backend 'torch' has no dtype 'float23'; did you mean 'float32'"):
        libraries.check("torch", ["float32", "float23"])


def test_where_two_are_compared_the_larger_tolerance_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"one": About(logit_tolerance={"q4": 0.5}), "other": About(logit_tolerance={"q4": 0.1})}
    monkeypatch.setattr(libraries, "about", said.__getitem__)
    assert libraries.logit_tolerance(("one", "other"), "q4") == 0.5


def test_a_library_writes_a_tiny_model_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = save_tiny_llama(tmp_path / "source")
    command = libraries.command("mlx", "write_tiny", source, tmp_path / "tiny")
    subprocess.run(command, check=True, capture_output=True)
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    assert config["num_hidden_layers"] == LAYERS
    assert (tmp_path / "tiny" / "model.safetensors").is_file()


def test_a_backend_without_tools_says_so() -> None:
    done = subprocess.run(libraries.command("echo", "gpu_works"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "'echo' brings no tools" in done.stderr


def test_the_usual_backends_are_those_that_lack_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"engine": About(needs=("json",), lacks=("logits",)), "own": About(needs=("json",))}
    said |= {"torch": About(needs=("json",)), "absent": About(needs=("nowhere_at_all",))}
    monkeypatch.setattr(libraries, "every", lambda: said)
    monkeypatch.setattr(machine, "here", lambda: machine.Platform("linux", "x86_64"))
    assert libraries.usual(3) == ("torch", "own", "engine")
    with pytest.raises(UserError, match="4 backends that can run a model needed, but 3 can here"):
        libraries.usual(4)


def test_what_a_backend_lacks_is_refused_with_who_can(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "engine": About(needs=("json",), lacks=("logits",)),
        "torch": About(needs=("json",)),
        "echo": About(),
    }
    monkeypatch.setattr(libraries, "every", lambda: said)
    monkeypatch.setattr(libraries, "about", said.__getitem__)
    libraries.check("engine", ["float32"], needs=["cuts"])
    with pytest.raises(UserError, match="'engine' can't give logits; use torch for that"):
        libraries.check("engine", ["float32"], needs=["cuts", "logits"])


def test_an_mlx_process_does_without_torch() -> None:
    """transformers, which mlx-lm imports, would import it: three quarters of a worker's start."""
    code = (
        "import sys; from bench.suite import libraries; libraries.without_unused('mlx'); import mlx_lm; "
        "print(sys.modules['torch']); "
        "libraries.allow_unused('mlx'); from scipy import stats; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"], "scipy would take the None for a module"
