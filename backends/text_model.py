"""The text model inside a model of images and text: its config, and the names of its weights.

Such a folder keeps the text model's config under `text_config`, or flat under a type of its own, and its
weights behind a prefix. For a prompt without images the three rotary positions of the Qwen-VL models are one
and the same, so their text model is the plain one.
"""

from __future__ import annotations

import re
from typing import Any

PLAIN = {
    "qwen2_vl": "qwen2",
    "qwen2_vl_text": "qwen2",
    "qwen2_5_vl": "qwen2",
    "qwen2_5_vl_text": "qwen2",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe_text": "qwen3_moe",
}
"""Types of text models that are another type once there are no images."""
RENAMED = {
    r"^language_model\.model\.": "model.",
    r"^language_model\.lm_head\.": "lm_head.",
    r"^model\.(language_model|text_model)\.": "model.",
}
"""Beginnings of the names of its weights, and what the text model alone calls them."""
_OF_TEXT = re.compile(r"(model\.(layers|embed_tokens|norm)|lm_head)\.")
_SHARED = (
    "quantization",
    "quantization_config",
    "eos_token_id",
    "bos_token_id",
    "pad_token_id",
    "dtype",
    "tie_word_embeddings",
)


def text_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config of the text model in a config; the same one if there is nothing else in it."""
    inner = config.get("text_config")
    nested = isinstance(inner, dict) and isinstance(inner.get("model_type"), str)
    if not nested and (not isinstance(config.get("model_type"), str) or config["model_type"] not in PLAIN):
        return config
    found = dict(inner) if nested and isinstance(inner, dict) else dict(config)
    if "vocab_size" not in found:  # published configs leave out what is the default of their type
        found = _completed(found)
    found |= {key: config[key] for key in _SHARED if config.get(key) is not None}
    kind = found["model_type"]
    if kind in PLAIN:
        found["model_type"] = PLAIN[kind]
        found |= {
            key: _one_position(found[key])
            for key in ("rope_scaling", "rope_parameters")
            if isinstance(found.get(key), dict)
        }
    return found


def text_weight(name: str) -> str | None:
    """What the text model alone calls a weight of the folder; None: it belongs to another part."""
    for beginning, new in RENAMED.items():
        name = re.sub(beginning, new, name)
    return name if _OF_TEXT.match(name) else None


def _one_position(numbers: dict[str, Any]) -> dict[str, Any]:
    """Rotary numbers without the three positions of an image."""
    kept = {key: value for key, value in numbers.items() if not key.startswith("mrope")}
    return {key: "default" if value == "mrope" else value for key, value in kept.items()}


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    from transformers import CONFIG_MAPPING

    if config["model_type"] not in CONFIG_MAPPING:
        return config
    return CONFIG_MAPPING[config["model_type"]].from_dict(config).to_dict()  # type: ignore[no-any-return]
