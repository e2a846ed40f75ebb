"""What mlx-lm can't split, and ranks that are not there; splits that work are in `tests/bench/run/ranks`."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import ModelError
from backends.mlx.load import load
from tests.tiny_models import save_tiny_gpt2, save_tiny_llama


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


def test_a_type_without_a_split_is_refused(llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"can't split 'llama' as pipeline; split it as tensor"):
        load(folder=llama, split="pipeline")
    with pytest.raises(ModelError, match=r"can't split 'gpt2' as tensor; run it on one"):
        load(folder=save_tiny_gpt2(tmp_path), split="tensor")


def test_heads_that_do_not_come_out_even_are_refused(llama: Path) -> None:
    with pytest.raises(
        ModelError, match="4 attention heads can't be shared evenly by 3 ranks; use ranks = 2"
    ):
        load(folder=llama, split="tensor", ranks=3)


def test_a_process_alone_is_not_two_ranks(llama: Path) -> None:
    with pytest.raises(ModelError, match="2 ranks are asked for, and 1 run here"):
        load(folder=llama, split="tensor")
