"""Bytes of weights from the headers of files, held against what a backend counts once they are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backends.base import ModelError
from backends.folder import open_folder
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch
from backends.weights import check_fits, loaded_bytes
from bench.errors import UserError
from bench.suite.models import locate
from tests.tiny_models import save_tiny_llama


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("weights") / "llama")


@pytest.mark.parametrize(("dtype", "layers"), [("float32", None), ("bfloat16", None), ("float32", 2)])
def test_it_is_what_is_loaded(folder: Path, dtype: str, layers: int | None) -> None:
    expected = loaded_bytes(open_folder(folder, layers=layers), dtype)
    for load in (on_torch.load, on_mlx.load):
        backend = load(folder=folder, dtype=dtype, layers=layers)  # type: ignore[operator]
        assert expected == backend.info.weight_bytes
        backend.close()


def test_what_a_device_can_not_hold_is_refused_with_the_numbers(folder: Path) -> None:
    opened = open_folder(folder)
    check_fits(opened, "float32", limit_bytes=None, what="nothing known")
    check_fits(opened, "float32", limit_bytes=10**9, what="enough")
    with pytest.raises(ModelError, match=r"take 0\.0 GB as float32, but what Metal .* is 0\.0 GB"):
        check_fits(opened, "float32", limit_bytes=1000, what="what Metal recommends")


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, (4).to_bytes(8, "little") + b"{..}", b"\2" + 7 * b"\0" + b"[]"]
)
def test_a_broken_header_is_an_error_in_words(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors can't be read"):
        loaded_bytes(open_folder(tmp_path), "float32")


def header_of(**arrays: object) -> bytes:
    header = json.dumps(arrays).encode()
    return len(header).to_bytes(8, "little") + header + bytes(16)


FITS = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    "changes",
    [
        {"data_offsets": [0, 17]},
        {"data_offsets": [16, 0]},
        {"data_offsets": [-4, 12]},
        {"data_offsets": [0]},
        {"shape": [2, 3]},
        {"shape": [-2, -2]},
        {"shape": [2**40, 2**40]},
        {"shape": [True, 4]},
        {"shape": 4},
        {"shape": [1] * 5000},
        {"shape": [2, 2, 1, 1, 1, 1, 1, 1, 9]},
        {"dtype": "F64"},
    ],
)
def test_a_header_that_speaks_of_other_bytes_than_the_file_has_is_refused(
    folder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(header_of(one=FITS))
    assert loaded_bytes(open_folder(tmp_path), "float32") == 16
    (tmp_path / "model.safetensors").write_bytes(header_of(one=FITS | changes))
    with pytest.raises(ModelError, match=r"model\.safetensors can't be read"):
        loaded_bytes(open_folder(tmp_path), "float32")


def test_a_link_out_of_the_folder_is_refused_before_it_is_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model" / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"model\.safetensors is a link out of its folder"):
        open_folder(tmp_path / "model")
    with pytest.raises(UserError, match=r"model\.safetensors is a link out of its folder"):
        locate(str(tmp_path / "model"))


def test_a_snapshot_of_the_hub_s_cache_links_to_its_own_blobs(folder: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "c0ffee"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        shutil.copy(folder / file, blobs / file)
        (snapshot / file).symlink_to(blobs / file)
    assert loaded_bytes(open_folder(snapshot), "float32") > 0
