"""Small random models in Hugging Face folders, one per architecture, made without a network.

Each folder holds what the published checkpoints of its architecture hold, because both libraries
have to read it: the old top-level rope keys, and for GPT-2 the weight names without a prefix.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

CONTEXT = 96
LAYERS = 4
VOCABULARY = 260
EOS, BOS, PAD = 0, 1, 2
ROPE_THETA = 100000.0
ENDS = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}


def save_tiny_llama(folder: Path, *, hidden_size: int = 64) -> Path:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden_size,
        intermediate_size=128,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        **ENDS,
    )
    random_model(LlamaForCausalLM, config).save_pretrained(folder)
    return _finish(folder, rope_theta=ROPE_THETA)


def save_tiny_gpt_neox(folder: Path) -> Path:
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
        hidden_act="gelu",  # as Pythia has it; mlx-lm has the approximation by a hyperbolic tangent only
        **ENDS,
    )
    random_model(GPTNeoXForCausalLM, config).save_pretrained(folder)
    return _finish(folder, rotary_emb_base=10000, rotary_pct=0.25)


def save_tiny_gpt2(folder: Path) -> Path:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_embd=64, n_layer=LAYERS, n_head=4, n_positions=CONTEXT, **ENDS
    )
    random_model(GPT2LMHeadModel, config).transformer.save_pretrained(folder)
    return _finish(folder, n_ctx=CONTEXT, architectures=["GPT2LMHeadModel"])


def save_tiny_qwen2(folder: Path) -> Path:
    """Of a type that mlx-lm splits both ways, with heads that two ranks and three can share."""
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=LAYERS,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        **ENDS,
    )
    random_model(Qwen2ForCausalLM, config).save_pretrained(folder)
    return _finish(folder, rope_theta=ROPE_THETA)


LOGITS_APART = {"gpt_neox": 5e-3}
"""How far logits of the two libraries may lie apart, where it is more than rounding."""
SAVERS = {"llama": save_tiny_llama, "gpt_neox": save_tiny_gpt_neox, "gpt2": save_tiny_gpt2}


def edit_config(folder: Path, *, without: tuple[str, ...] = (), **changes: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if key not in without}))


def random_model(model_class, config):
    """Weights large enough that positions and layers visibly change the logits."""
    torch.manual_seed(7)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)
    return model


def _finish(folder: Path, **config_keys: object) -> Path:
    edit_config(folder, **config_keys)
    return save_tokenizer(folder)


def save_tokenizer(folder: Path) -> Path:
    """What a folder has beside its weights; without the class a library takes the usual rules of the type."""
    (folder / "generation_config.json").write_text(json.dumps(ENDS))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def tokenizer() -> Tokenizer:
    """Bytes as tokens, with a begin-of-sequence token in front."""
    special = ["<eos>", "<bos>", "<pad>", "<unk>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", BOS)]
    )
    return tokenizer
