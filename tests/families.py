"""Tiny random models of the types that people run, made from the config classes of transformers.

A type is one line: its config class and what it needs beside the sizes that all have. What one of the two
libraries can't load is said where it is tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from tests.tiny_models import ENDS, VOCABULARY, edit_config, save_tokenizer

LAYERS = 2
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 128,
}
_EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 32,
    "mscale": 0.7,
    "mscale_all_dim": 0.7,
}
DELTA: dict[str, Any] = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
_DEEPSEEK: dict[str, Any] = {
    "num_key_value_heads": 2,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "head_dim": 8,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
FAMILIES: Mapping[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": None},
    "qwen2": {},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"query_pre_attn_scalar": 32, "sliding_window": 32},
    "gemma3_text": {"query_pre_attn_scalar": 32, "sliding_window": 32, "num_hidden_layers": 6},
    "ministral": {"sliding_window": 32, "num_hidden_layers": 4},
    "ministral3": {},
    "gemma4_text": {
        "sliding_window": 32,
        "num_hidden_layers": 6,
        "layer_types": ["sliding_attention", "full_attention"] * 3,
        "global_head_dim": 32,
        "num_kv_shared_layers": 2,
        "hidden_size_per_layer_input": 8,
        "vocab_size_per_layer_input": VOCABULARY,
        "use_double_wide_mlp": False,
    },
    "phi3": {"pad_token_id": 2, "rope_scaling": None},
    "granite": {},
    "glm": {"partial_rotary_factor": 0.5},
    "glm4": {},
    "helium": {},
    "hunyuan_v1_dense": {},
    "exaone4": {"sliding_window": 32, "num_hidden_layers": 4},
    "olmo": {},
    "olmo2": {},
    "olmo3": {"sliding_window": 32, "num_hidden_layers": 4},
    "smollm3": {},
    "ernie4_5": {},
    "cohere": {},
    "cohere2": {"sliding_window": 32, "num_hidden_layers": 4},
    "stablelm": {},
    "starcoder2": {"sliding_window": None},
    "nemotron": {},
    "seed_oss": {},
    "qwen3_moe": _EXPERTS,
    "qwen2_moe": {**_EXPERTS, "shared_expert_intermediate_size": 32},
    "olmoe": _EXPERTS,
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "granitemoe": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "phimoe": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "attention_bias": True,
        "lm_head_bias": True,
    },
    "ernie4_5_moe": {
        "moe_num_experts": 4,
        "moe_k": 2,
        "moe_intermediate_size": 32,
        "moe_layer_start_index": 1,
        "moe_layer_end_index": 1,
    },
    "glm4_moe": {
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
    },
    "gpt_oss": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "intermediate_size": 32,
        "sliding_window": 32,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
    "deepseek_v3": _DEEPSEEK,
    "glm4_moe_lite": _DEEPSEEK,
    "deepseek_v2": {
        "num_key_value_heads": 2,
        "kv_lora_rank": 16,
        "q_lora_rank": None,
        "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8,
        "v_head_dim": 16,
        "head_dim": 8,
        "n_routed_experts": 4,
        "n_shared_experts": 2,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 32,
        "first_k_dense_replace": 1,
        "topk_method": "greedy",
        "rope_parameters": {"rope_theta": 10000.0, **_YARN},
    },
    "mamba": {"state_size": 8, "expand": 2, "conv_kernel": 4, "time_step_rank": 8},
    "mamba2": {"state_size": 8, "expand": 2, "head_dim": 32, "num_heads": 4, "n_groups": 1},
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8},
    "lfm2": {
        "layer_types": ["conv", "full_attention"],
        "block_multiple_of": 8,
        "block_dim": 64,
        "block_ff_dim": 96,
    },
    "jamba": {
        "num_hidden_layers": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "num_experts": 1,
        "mamba_d_state": 8,
        "mamba_dt_rank": 8,
    },
    "qwen3_next": {
        **_EXPERTS,
        "shared_expert_intermediate_size": 32,
        **DELTA,
    },
    "phi": {},
    "gpt_neox": {"rotary_pct": 0.25, "hidden_act": "gelu", "intermediate_size": 256},
}
PUBLISHED = {
    "gpt_oss": {"rope_theta": 10000.0},
    "qwen3_next": {"full_attention_interval": 2},
    "gemma4_text": {"global_head_dim": 32},
    "exaone4": {"sliding_window_pattern": "LLLG"},
    "deepseek_v2": {"rope_scaling": _YARN, "rope_theta": 10000.0},
}
"""What published configs say and `save_pretrained` does not, because transformers keeps it elsewhere."""


def save_tiny(family: str, folder: Path, **other: Any) -> Path:
    """A random model of this type as the hub would give it, with `other` values in its config."""
    config = CONFIG_MAPPING[family](**{**SIZES, **ENDS, **FAMILIES[family], **other})
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
    model.save_pretrained(folder)
    edit_config(folder, **PUBLISHED.get(family, {}))
    return save_tokenizer(folder)
