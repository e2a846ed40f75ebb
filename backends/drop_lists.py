"""Modules that a checkpoint's own config leaves out.

Checkpoints of LLM-Drop (He et al., arXiv 2406.15786) say `drop_attn_list` and `drop_mlp_list` in their
`config.json`, and bring model code that obeys them. Such code is never run; the lists are read, and the
project's own cut leaves the modules out. The whole weights have to be in the folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backends.anatomy import anatomy_of, layers_of
from backends.base import ModelError
from backends.cut import Cut
from backends.folder import ModelFolder
from backends.parts import Parts, leave_out

ATTENTION_KEY, MLP_KEY = "drop_attn_list", "drop_mlp_list"


def dropped_by_config(folder: ModelFolder) -> Cut:
    """What the config of a checkpoint leaves out of the layers that are loaded; `FULL` where it has no list.

    Raises:
        ModelError: A list is not one of layers; one line with the value.
    """
    return Cut(drop_attention=tuple(_layers(folder, ATTENTION_KEY)), drop_mlp=tuple(_layers(folder, MLP_KEY)))


def leave_out_as_its_config_says(parts: Parts, model: Any, folder: ModelFolder) -> None:
    """Replace the dropped modules of a loaded model by nothing, in place.

    Raises:
        ModelError: As for `dropped_by_config`; or it is not known where such a model keeps its modules.
    """
    dropped, layers = dropped_by_config(folder), layers_of(model)
    for number in dropped.drop_attention:
        leave_out(parts, layers[number], "attention", anatomy_of(folder))
    for number in dropped.drop_mlp:
        leave_out(parts, layers[number], "mlp", anatomy_of(folder))


def _layers(folder: ModelFolder, key: str) -> Iterable[int]:
    """Numbers of layers; a checkpoint lists them, or says true or false of every layer."""
    said = folder.config.get(key) or []
    if not isinstance(said, list) or not all(isinstance(one, int) and one >= 0 for one in said):
        raise ModelError(
            f"config.json of {folder.path}: {key} is {str(said)[:80]!r}, no list of layers",
            fix="list the layers by number, from 0, or leave the key out",
        )
    numbers = [n for n, gone in enumerate(said) if gone] if said and isinstance(said[0], bool) else said
    return [number for number in numbers if number < folder.layers]
