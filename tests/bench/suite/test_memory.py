"""Models that are larger than the memory are refused before anything is loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.bench.processes import AS_ROOT, bench
from tests.tiny_models import save_tiny_llama

WIDTH, ROWS = 1 << 20, 1 << 21


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """A folder whose file says that it holds 8 TB, and does, in holes."""
    folder = save_tiny_llama(tmp_path / "huge")
    for file in folder.glob("*.safetensors"):
        file.unlink()
    data = {"dtype": "F32", "shape": [ROWS, WIDTH], "data_offsets": [0, 4 * ROWS * WIDTH]}
    header = json.dumps({"model.embed_tokens.weight": data}).encode()
    file = folder / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(file, 8 + len(header) + 4 * ROWS * WIDTH)
    return folder


@pytest.mark.parametrize("options", [["--dry-run"], [], ["--dtype", "bfloat16"]])
def test_it_is_refused_with_the_numbers(huge: Path, options: list[str], tmp_path: Path) -> None:
    done = bench("run", str(huge), "--energy", "modelled", *options, *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    size = "4398.0 GB" if "bfloat16" in options else "8796.1 GB"
    assert size in done.stderr
    assert "larger than the memory of this machine" in done.stderr
    assert not list(tmp_path.glob("results/*"))
