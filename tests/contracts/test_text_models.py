"""The text model of a folder of images and text runs as the whole model does on text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText

from backends.cut import FULL, Cut
from tests.contracts.models import MODEL_BACKENDS, generate, load_tiny
from tests.families import DELTA, SIZES
from tests.tiny_models import ENDS, save_tokenizer

IDS = [5, 9, 30, 77, 41, 12, 200, 33, 8, 8, 9, 100]
NEW = 6
_SEES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
_IMAGE = {
    "image_token_id": 250,
    "video_token_id": 251,
    "vision_start_token_id": 252,
    "vision_end_token_id": 253,
}
_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
WHOLE = {
    "gemma3": {
        "text_config": {**SIZES, "sliding_window": 32, "query_pre_attn_scalar": 32, "num_hidden_layers": 6},
        "vision_config": {**_SEES, "image_size": 28, "patch_size": 14},
        "mm_tokens_per_image": 4,
    },
    "mistral3": {
        "text_config": {**SIZES, "model_type": "mistral", "sliding_window": None},
        "vision_config": {**_SEES, "head_dim": 16, "model_type": "pixtral"},
        "image_token_index": 250,
    },
    "qwen2_vl": {
        "text_config": {**SIZES, "rope_parameters": _ROPE},
        "vision_config": {"embed_dim": 32, "hidden_size": 64, "depth": 1, "num_heads": 2},
        **_IMAGE,
    },
    "qwen3_vl": {
        "text_config": {**SIZES, "rope_parameters": {**_ROPE, "mrope_interleaved": True}},
        "vision_config": {
            **_SEES,
            "out_hidden_size": 64,
            "depth": 1,
            "num_heads": 2,
            "deepstack_visual_indexes": [0],
        },
        **_IMAGE,
    },
    "qwen3_5": {
        "text_config": {**SIZES, **DELTA, "full_attention_interval": 2},
        "vision_config": {**_SEES, "out_hidden_size": 64, "depth": 1, "num_heads": 2},
        **_IMAGE,
    },
}
TEXT = {
    "gemma3": "gemma3_text",
    "mistral3": "mistral",
    "qwen2_vl": "qwen2",
    "qwen3_vl": "qwen3",
    "qwen3_5": "qwen3_5_text",
}
LOOKS = Cut(kv_keep=0.5, kv_policy="heavy_hitters", drop_mlp=(0,))


@pytest.mark.parametrize("kind", WHOLE)
def test_it_runs_as_the_whole_model_does(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = AutoModelForImageTextToText.from_config(CONFIG_MAPPING[kind](**WHOLE[kind], **ENDS)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    ids = torch.tensor([IDS])
    own = model.generate(ids, max_new_tokens=NEW, do_sample=False, eos_token_id=None)[0, len(IDS) :].tolist()
    found = []
    for name in MODEL_BACKENDS:
        backend = load_tiny(name, tmp_path)
        assert backend.info.architecture == TEXT[kind]
        assert generate(backend, IDS, max_new_tokens=NEW).tokens == own
        assert backend.info.parameters < sum(weight.numel() for weight in model.parameters())
        cut = FULL if kind == "gemma3" else LOOKS  # it has a sliding window
        backend.ready(cut)
        shape = backend.shape()
        assert shape is not None
        found.append(
            (replace(shape, held_bytes=None), generate(backend, IDS, cut, max_new_tokens=NEW).tokens)
        )
        backend.close()
    assert found[0] == found[1]
