"""A checkpoint whose config leaves modules out is run without them, and counted so."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from backends.base import Backend, ModelError
from backends.cut import Cut
from tests.contracts.models import MODEL_BACKENDS, PROMPT, generate, load_tiny, verdict
from tests.tiny_models import LAYERS, edit_config

REMOTE = {"AutoConfig": "configuration_dropped_llama.LlamaConfig"}
SAME = Cut(drop_attention=(0, 3), drop_mlp=(1, 3))


@pytest.fixture(scope="module", params=list(MODEL_BACKENDS))
def pair(
    request: pytest.FixtureRequest,
    tiny_folders: dict[str, Path],
    backends: dict[tuple[str, str], Backend],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Backend, Backend]:
    """The checkpoint as its config says, and the same weights whole."""
    dropped = shutil.copytree(tiny_folders["llama"], tmp_path_factory.mktemp("lists") / "dropped")
    mlp = [False, True, False, True]
    edit_config(dropped, drop_attn_list=[3, 0], drop_mlp_list=mlp, auto_map=REMOTE)
    return load_tiny(request.param, dropped), backends[request.param, "llama"]


def test_it_computes_what_the_cut_of_these_lists_does(pair: tuple[Backend, Backend]) -> None:
    dropped, whole = pair
    ids = whole.encode(PROMPT)
    whole.ready(SAME)
    np.testing.assert_array_equal(dropped.logits(ids), whole.logits(ids, SAME))
    assert dropped.shape() == whole.shape(SAME)
    one, other = generate(dropped, ids, max_new_tokens=3), generate(whole, ids, SAME, max_new_tokens=3)
    assert (one.tokens, one.used) == (other.tokens, other.used)
    assert one.used is not None
    assert one.used.cache_lengths == (0, len(ids), len(ids), 0)
    found = dropped.redundancy(ids)
    assert [change is None for change in found.attention] == [True, False, False, True]
    assert [change is None for change in found.mlp] == [False, True, False, True]


def test_a_cut_on_top_of_it_takes_effect(pair: tuple[Backend, Backend]) -> None:
    dropped, whole = pair
    ids = whole.encode(PROMPT)
    for cut in (Cut(kv_keep=0.5, mlp_keep=0.5), Cut(drop_mlp=(0,), weight_bits=8)):
        dropped.ready(cut)
        assert verdict(dropped, cut, ids).reason == ""
    again = Cut(drop_attention=(0,))
    dropped.ready(again)
    assert verdict(dropped, again, ids).outcome == "gate inactive"


@pytest.mark.parametrize("name", list(MODEL_BACKENDS))
def test_a_list_of_something_else_is_refused_in_a_line(
    name: str, tiny_folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folders["llama"], tmp_path / "llama")
    for said in ("0, 1", [0, "one"], [-1]):
        edit_config(folder, drop_attn_list=said)
        with pytest.raises(ModelError, match=r"drop_attn_list is .*, no list of layers; list .* from 0, or"):
            load_tiny(name, folder)


def test_layers_that_are_not_loaded_are_not_missed(tiny_folders: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folders["llama"], tmp_path / "llama")
    edit_config(folder, drop_attn_list=[1, LAYERS - 1])
    backend = load_tiny("torch", folder, layers=2)
    assert generate(backend, [5, 6, 7], max_new_tokens=2).used.cache_lengths == (3, 0)
