"""Where a decoder layer keeps its attention and its MLP. Both libraries use the names of the checkpoints.

A new architecture is one entry here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backends.base import ModelError
from backends.folder import ModelFolder

LAYERS_NAMES = ("layers", "h")
TABLE_NAMES = ("embed_tokens", "embed_in", "wte", "embeddings")
POSITION_NAMES = ("wpe",)
TABLE_OF_LAYERS_NAMES = ("embed_tokens_per_layer",)
BESIDE_NAMES = ("per_layer_model_projection", "per_layer_projection_norm")
"""What makes an input for every layer of the embedding, once for all of them (gemma 4)."""
EXPERTS_NAMES = ("experts", "switch_mlp")
HEAD_NAMES = ("lm_head", "embed_out")
FINAL_NORM_NAMES = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f", "embedding_norm")


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Names of the modules in one decoder layer."""

    attention: str
    mlp: tuple[str, ...]
    """What the libraries call the MLP, or the experts in its place."""
    mlp_ins: tuple[str, ...]
    """Matrices whose rows are the MLP's units."""
    stacked: int = 1
    """Matrices that lie one above the other in each of `mlp_ins`, such as gate and up."""
    mlp_out: str
    """The matrix whose columns are the MLP's units."""
    attention_norm: str | None
    """The norm before attention; None if the MLP uses the same one."""
    mlp_norm: str | None
    parallel: bool = False
    """Whether attention and MLP read the same input instead of one after the other."""
    after_attention: str | None = None
    """The norm of what attention adds to the residual stream; None: it is added as it is."""
    after_mlp: str | None = None
    """The same of the MLP."""
    has_state: bool = False
    """Whether layers keep a state, beside attention or in its place; it is left out with its block alone."""
    scan_products: int = 2
    """Multiply-adds of a token and a number that a scan carries on: it is renewed and read out. The delta
    rule reads it once more before, for what is to be renewed."""
    heads_differ: bool = False
    """Whether layers have heads of other sizes; they are then those of their own `q_proj` and `k_proj`."""

    def mlp_of(self, layer: Any) -> str:
        """What the MLP of a layer is called here."""
        return next((name for name in self.mlp if hasattr(layer, name)), self.mlp[0])


_LLAMA = Anatomy(
    attention="self_attn",
    mlp=("mlp", "block_sparse_moe"),
    mlp_ins=("gate_proj", "up_proj"),
    mlp_out="down_proj",
    attention_norm="input_layernorm",
    mlp_norm="post_attention_layernorm",
)
_GPT_NEOX = replace(
    _LLAMA, attention="attention", mlp_ins=("dense_h_to_4h",), mlp_out="dense_4h_to_h", parallel=True
)
_GPT2 = replace(
    _LLAMA, attention="attn", mlp_ins=("c_fc",), mlp_out="c_proj", attention_norm="ln_1", mlp_norm="ln_2"
)
_PHI = replace(_LLAMA, mlp_ins=("fc1",), mlp_out="fc2", attention_norm=None, mlp_norm=None, parallel=True)
_FUSED = replace(_LLAMA, mlp_ins=("gate_up_proj",), stacked=2)
_POST_NORMS = replace(
    _LLAMA,
    attention_norm="post_attention_layernorm",
    mlp_norm="post_feedforward_layernorm",
    after_attention="post_attention_layernorm",
    after_mlp="post_feedforward_layernorm",
)
_SANDWICH = replace(_POST_NORMS, attention_norm="input_layernorm", mlp_norm="pre_feedforward_layernorm")
_MAMBA = replace(_LLAMA, attention_norm=None, mlp_norm=None, has_state=True)
"""A layer of it is a state and nothing else."""
_HYBRID = replace(_LLAMA, mlp=("feed_forward",), mlp_norm="pre_ff_layernorm", has_state=True)
_DELTA = replace(_LLAMA, has_state=True, scan_products=3)
_ONE_NORM = replace(_LLAMA, attention_norm=None, mlp_norm=None, parallel=True)
ANATOMIES = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "ministral": _LLAMA,
    "ministral3": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _SANDWICH,
    "gemma3_text": _SANDWICH,
    "gemma4_text": replace(_SANDWICH, heads_differ=True),
    "phi3": _FUSED,
    "glm": _FUSED,
    "glm4": replace(_FUSED, after_attention="post_self_attn_layernorm", after_mlp="post_mlp_layernorm"),
    "granite": _LLAMA,
    "smollm3": _LLAMA,
    "ernie4_5": _LLAMA,
    "seed_oss": _LLAMA,
    "helium": _LLAMA,
    "hunyuan_v1_dense": _LLAMA,
    "stablelm": _LLAMA,
    "olmo": _LLAMA,
    "olmo2": _POST_NORMS,
    "olmo3": _POST_NORMS,
    "exaone4": _POST_NORMS,
    "cohere": _ONE_NORM,
    "cohere2": _ONE_NORM,
    "starcoder2": replace(_LLAMA, mlp_ins=("c_fc",), mlp_out="c_proj"),
    "nemotron": replace(_LLAMA, mlp_ins=("up_proj",)),
    "qwen2_moe": _LLAMA,
    "qwen3_moe": _LLAMA,
    "olmoe": _LLAMA,
    "mixtral": _LLAMA,
    "granitemoe": _LLAMA,
    "phimoe": _LLAMA,
    "ernie4_5_moe": _LLAMA,
    "glm4_moe": _LLAMA,
    "gpt_oss": _LLAMA,
    "glm4_moe_lite": _LLAMA,
    "deepseek_v2": _LLAMA,
    "deepseek_v3": _LLAMA,
    "mamba": _MAMBA,
    "mamba2": _MAMBA,
    "jamba": _HYBRID,
    "qwen3_next": _DELTA,
    "qwen3_5_text": _DELTA,
    "qwen3_5_moe_text": _DELTA,
    "falcon_h1": replace(_HYBRID, attention_norm=None),
    "lfm2": replace(
        _HYBRID,
        mlp_ins=("w1", "w3"),
        mlp_out="w2",
        attention_norm="operator_norm",
        mlp_norm="ffn_norm",
    ),
    "gpt_neox": _GPT_NEOX,
    "gpt2": _GPT2,
    "phi": _PHI,
}


def anatomy_of(folder: ModelFolder) -> Anatomy:
    """The anatomy of a model.

    Raises:
        ModelError: The architecture is not known.
    """
    anatomy = ANATOMIES.get(folder.architecture)
    if anatomy is None:
        raise ModelError(
            f"where a model of type {folder.architecture!r} keeps its attention and MLP is not known, so "
            f"nothing can be left out or counted",
            fix="leave out nothing of it, or only of its cache (kv_keep)",
        )
    if folder.architecture == "gpt_neox":
        return replace(anatomy, parallel=folder.config.get("use_parallel_residual", True))
    return anatomy


@dataclass(frozen=True, kw_only=True)
class Heads:
    """What a config says of attention; zeros where nothing attends."""

    query: int = 0
    key_value: int = 0
    key_width: int = 0
    """Numbers of a head's key, its rotary part included."""
    value_width: int = 0
    latent_width: int = 0
    """Of what keys and values of all heads are made of in multi-head latent attention; 0: it is another."""
    rotary_width: int = 0
    """Of the part of the key that is beside a latent, one for all heads."""


def heads_of(folder: ModelFolder) -> Heads:
    """The heads of a model; where they differ by layer, those of most layers."""
    config = folder.config
    heads = config.get("num_attention_heads") or config.get("n_head")
    if heads is None:
        return Heads()
    if latent := config.get("kv_lora_rank"):
        return Heads(
            query=heads,
            key_value=heads,
            key_width=config["qk_nope_head_dim"] + config["qk_rope_head_dim"],
            value_width=config["v_head_dim"],
            latent_width=latent,
            rotary_width=config["qk_rope_head_dim"],
        )
    width = config.get("head_dim") or (config.get("hidden_size") or config["n_embd"]) // heads
    key_value = config.get("num_key_value_heads") or heads
    return Heads(query=heads, key_value=key_value, key_width=width, value_width=width)


def keys_of(folder: ModelFolder) -> tuple[int, ...]:
    """For every layer the one whose keys and values it reads: itself, or an earlier one (gemma 3n and 4)."""
    kinds = folder.config.get("layer_types") or [None] * folder.layers
    first = folder.layers - (folder.config.get("num_kv_shared_layers") or 0)
    own = {kind: layer for layer, kind in enumerate(kinds[: max(first, 0)])}
    return tuple(layer if layer < first else own.get(kinds[layer], layer) for layer in range(folder.layers))


def keys_read_by_others(folder: ModelFolder) -> frozenset[int]:
    """Layers whose keys and values later layers read instead of making their own."""
    return frozenset(read for layer, read in enumerate(keys_of(folder)) if read != layer)


def experts_per_token(folder: ModelFolder) -> int:
    """Experts that a token is sent to in a layer that has experts; 0 for a model without any."""
    keys = ("num_experts_per_tok", "moe_k", "num_experts_per_token", "top_k_experts")
    return next((folder.config[key] for key in keys if folder.config.get(key)), 0)


def find(module: Any, names: tuple[str, ...]) -> Any:
    """The part of a module that has one of these names, else None."""
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)


def decoder_of(model: Any) -> Any:
    """The module that holds the embedding tables, the layers and the final norm."""
    return find(model, ("base_model", "model", "backbone"))


def layers_of(model: Any) -> Any:
    """The decoder layers: a list whose items can be replaced."""
    return find(decoder_of(model), LAYERS_NAMES)
