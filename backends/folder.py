"""A Hugging Face model folder: whether it can be loaded, and what its config says.

Both backends read the same `config.json` through here, so "the first six layers" and "the
end-of-sequence tokens" mean one thing. Nothing in the config is repaired: a key that one
library reads and the other does not is a difference that the equal-work check has to see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import BackendInfo, ModelError
from backends.inside import links_out
from backends.text_model import text_config

LAYER_COUNT_KEYS = ("num_hidden_layers", "n_layer")
CONTEXT_KEYS = ("max_position_embeddings", "n_positions")
QUANTISATION_KEYS = ("quantization", "quantization_config")
NUMBER_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Of the dtypes that models are loaded in."""
LAYER_NUMBER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A folder that passed the checks of `open_folder`."""

    path: Path
    config: dict[str, Any]
    """`config.json`, with the layer count of the perhaps shortened model."""
    architecture: str
    layers: int
    vocabulary: int
    context: int | None
    eos_ids: frozenset[int]
    sees: bool = False
    """Whether it is a model of images and text, of which the text model is loaded (`backends.text_model`)."""

    @property
    def quantised(self) -> str | None:
        """How the weights were quantised before they came here, in words; None: they were not."""
        return quantised(self.config)

    @property
    def is_mlx_quantised(self) -> bool:
        """Whether mlx-lm quantised them, which MLX alone reads."""
        said = _quantisation(self.config)
        return said is not None and "quant_method" not in said


def quantised(config: dict[str, Any]) -> str | None:
    """What a config says of weights that are quantised already: `mlx, 4 bits`, `gptq`; None: they are whole.

    mlx-lm writes the numbers under two keys and names no method; whoever else writes them names one.
    """
    said = _quantisation(config)
    if said is None:
        return None
    if "quant_method" in said:
        return str(said["quant_method"])
    return f"mlx, {said.get('mode', 'affine')}, {said.get('bits')} bits"


def saved_as(config: dict[str, Any]) -> str | None:
    """Type of the weights by the config's own word: `bfloat16`, `8 bits`, `gptq`; None if it says nothing."""
    said = _quantisation(config)
    if said is None:
        word = config.get("dtype") or config.get("torch_dtype")
        return word if isinstance(word, str) else None
    return str(said["quant_method"]) if "quant_method" in said else f"{said.get('bits')} bits"


def _quantisation(config: dict[str, Any]) -> dict[str, Any] | None:
    said = next((config[key] for key in QUANTISATION_KEYS if config.get(key)), None)
    return said if isinstance(said, dict) else None


def open_folder(path: Path, *, layers: int | None = None) -> ModelFolder:
    """Check `path` and read its config, keeping the first `layers` decoder layers (None keeps all).

    Raises:
        ModelError: A file is missing, unreadable or a link out of the folder, the weights are not in
            safetensors, or there are fewer layers than asked for.
    """
    _check_inside(path)
    whole = _read_json(path / "config.json")
    _check_weights(path)
    config = _shortened(text_config(whole), layers, path)
    return ModelFolder(
        path=path,
        config=config,
        architecture=str(_required(config, ("model_type",), path)),
        layers=_count(config, LAYER_COUNT_KEYS, path),
        vocabulary=_count(config, ("vocab_size",), path),
        context=_count(config, CONTEXT_KEYS, path) if _first(config, CONTEXT_KEYS) is not None else None,
        eos_ids=_eos_ids(path, config),
        sees=config["model_type"] != whole.get("model_type"),
    )


def layer_of(weight_name: str) -> int | None:
    """Number of the decoder layer that a weight belongs to; None for embeddings, head and final norm."""
    number = LAYER_NUMBER.search(weight_name)
    return int(number[1]) if number else None


def describe(
    folder: ModelFolder,
    *,
    backend: str,
    device: str,
    dtype: str,
    weights: Iterable[tuple[int, int]],
    cache: str,
    versions: dict[str, str],
    settings: dict[str, int] | None = None,
) -> BackendInfo:
    """What was loaded from a folder; `weights` are elements and bytes of each parameter."""
    elements, sizes_bytes = zip(*weights, strict=True)
    return BackendInfo(
        backend=backend,
        device=device,
        dtype=dtype,
        architecture=folder.architecture,
        layers=folder.layers,
        parameters=sum(elements),
        weight_bytes=sum(sizes_bytes),
        vocabulary=folder.vocabulary,
        context=folder.context,
        cache=cache,
        versions=versions,
        settings={**(settings or {})},
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=_number)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing", fix="give the folder of a Hugging Face model") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path} can't be read ({error})", fix="fetch the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold a JSON object", fix="fetch the model again")
    return content


def _number(content: dict[str, Any]) -> Any:
    """What transformers 5 writes for a number that JSON has not: `{"__float__": "Infinity"}`."""
    return float(content["__float__"]) if content.keys() == {"__float__"} else content


def _check_inside(path: Path) -> None:
    """Refuse a folder with a link out of it, before anything in it is opened."""
    outside = links_out(path) if path.is_dir() else []
    if outside:
        raise ModelError(
            f"{path / outside[0]} is a link out of its folder", fix="put the file itself in its place"
        )


def _check_weights(path: Path) -> None:
    if not any(path.glob("model*.safetensors")):
        raise ModelError(
            f"{path} has no model*.safetensors, the only weight format that is loaded",
            fix="save it with save_pretrained, or choose a revision that has safetensors",
        )


def _shortened(config: dict[str, Any], layers: int | None, path: Path) -> dict[str, Any]:
    """The config of the same model with only its first `layers` decoder layers."""
    if layers is None:
        return config
    total = _count(config, LAYER_COUNT_KEYS, path)
    if not 1 <= layers <= total:
        raise ModelError(f"layers = {layers}, but {path} has {total}", fix=f"give 1 to {total}")
    changed = {key: layers for key in LAYER_COUNT_KEYS if key in config}
    if shared := config.get("num_kv_shared_layers"):
        changed["num_kv_shared_layers"] = max(0, layers - (total - shared))
    if config.get("layer_types"):
        changed["layer_types"] = config["layer_types"][:layers]
    return config | changed


def _eos_ids(path: Path, config: dict[str, Any]) -> frozenset[int]:
    """End-of-sequence ids as both libraries find them: generation_config.json first, then config.json."""
    generation = path / "generation_config.json"
    settings = _read_json(generation) if generation.exists() else {}
    ids = settings.get("eos_token_id")
    ids = config.get("eos_token_id") if ids is None else ids
    listed = [] if ids is None else ids if isinstance(ids, list) else [ids]
    if not all(isinstance(one, int) for one in listed):
        raise ModelError(
            f"eos_token_id of {path} is {ids!r}, no list of token ids", fix="fetch the model again"
        )
    return frozenset(listed)


def _count(config: dict[str, Any], keys: tuple[str, ...], path: Path) -> int:
    value = _required(config, keys, path)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"config.json of {path}: {' or '.join(keys)} is {str(value)[:80]!r}, no count")
    return value


def _first(config: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((config[key] for key in keys if config.get(key) is not None), None)


def _required(config: dict[str, Any], keys: tuple[str, ...], path: Path) -> Any:
    value = _first(config, keys)
    if value is None:
        raise ModelError(f"config.json of {path} has no {' or '.join(keys)}; it is not a decoder this loads")
    return value
