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
    counted: bool = True
    """Whether the sizes of its layers are all that a forward reads and multiplies."""

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
_GEMMA4 = replace(_SANDWICH, counted=False)
"""Its heads differ by layer, layers share keys, and each has an embedding of its own."""
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
    "gemma4_text": _GEMMA4,
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
    "gpt_neox": _GPT_NEOX,
    "gpt2": _GPT2,
    "phi": _PHI,
}
_STATE = replace(_LLAMA, mlp=("feed_forward",))
WITH_STATE = {
    "mamba": _STATE,
    "mamba2": _STATE,
    "falcon_h1": _STATE,
    "lfm2": replace(_STATE, mlp_out="w2"),
}
"""Types of which layers keep a state beside their attention, or in its place: they are counted, and nothing
of them can be left out."""


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


def heads_of(folder: ModelFolder) -> tuple[int, int, int]:
    """Query heads, key-value heads and the width of a head; zeros where nothing attends."""
    config = folder.config
    heads = config.get("num_attention_heads") or config.get("n_head")
    if heads is None:
        return 0, 0, 0
    width = config.get("hidden_size") or config["n_embd"]
    return heads, config.get("num_key_value_heads") or heads, config.get("head_dim") or width // heads


def keys_read_by_others(folder: ModelFolder) -> frozenset[int]:
    """Layers whose keys and values later layers read instead of making their own (gemma 3n and 4)."""
    shared, kinds = folder.config.get("num_kv_shared_layers") or 0, folder.config.get("layer_types") or []
    first = folder.layers - shared
    own = {kind: layer for layer, kind in enumerate(kinds[:first])}
    return frozenset(own[kind] for kind in kinds[first:] if kind in own)


def experts_per_token(folder: ModelFolder) -> int:
    """Experts that a token is sent to in a layer that has experts; 0 for a model without any."""
    keys = ("num_experts_per_tok", "moe_k", "num_experts_per_token")
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
