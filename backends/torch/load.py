"""PyTorch: transformers' model definitions on mps, cuda or cpu.

This file only loads. It is cheap to import, so that a suite's options can be checked
against `load` without torch; the loops are in `decoder.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from backends.about import About, Tools, about
from backends.base import CHUNK, Backend, ModelError
from backends.folder import ModelFolder, layer_of, open_folder
from backends.installing import pip
from backends.text_model import RENAMED, text_weight
from backends.tokenizer import Tokenizer
from backends.trial import in_one_line
from backends.weights import check_fits

if TYPE_CHECKING:
    import torch


QUANTISERS = {
    "gptq": ("optimum", "gptqmodel"),
    "awq": ("gptqmodel", "accelerate"),
    "compressed-tensors": ("compressed_tensors",),
    "bitsandbytes": ("bitsandbytes", "accelerate"),
}
"""By `quant_method` of a config, the modules that transformers asks to run it."""


def _tools() -> Tools:
    from backends.torch import tools

    return tools


ABOUT = About(
    needs=("torch", "transformers"),
    install="joulebench[torch]",
    packages=("torch", "transformers", "tokenizers"),
    gpu="MPS",
    tools=_tools,
)


@about(ABOUT)
def load(
    *,
    folder: Path,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    layers: int | None = None,
    device: Literal["auto", "mps", "cuda", "cpu"] = "auto",
    prefill_chunk: Annotated[int, Field(ge=1)] = CHUNK,
) -> Backend:
    """Load a model folder with transformers.

    Args:
        folder: Hugging Face folder with `config.json`, `tokenizer.json` and safetensors.
        dtype: Type of the weights, the cache and the arithmetic.
        layers: Keep only the first so many decoder layers; None keeps all.
        device: `auto` takes mps, else cuda, else cpu.
        prefill_chunk: Prompt tokens of a forward at most; a longer prompt is fed in several.

    Raises:
        MissingLibrary: torch or transformers is not installed.
        ModelError: The folder can't be loaded, or the device is not there.
    """
    ABOUT.require()
    opened = open_folder(folder, layers=layers)
    if opened.is_mlx_quantised:
        raise ModelError(
            f"the weights of {folder} are quantised for MLX ({opened.quantised}), which torch can't read",
            fix="run it with --backend mlx, or give torch the folder of the full weights",
        )
    _check_quantiser(opened)
    from backends.drop_lists import leave_out_as_its_config_says
    from backends.torch.decoder import TorchDecoder
    from backends.torch.parts import TorchParts

    tokenizer = Tokenizer(folder)
    target = _device(device)
    check_fits(opened, dtype, limit_bytes=_limit_bytes(target), what=f"what {target.type} can hold")
    model = _load_model(opened, dtype).to(target).eval().requires_grad_(False)
    leave_out_as_its_config_says(TorchParts(), model, opened)
    decoder = TorchDecoder(
        model, tokenizer=tokenizer, folder=opened, dtype=dtype, device=target, chunk=prefill_chunk
    )
    _check_runs(decoder, opened)
    return decoder


def _check_runs(decoder: Backend, folder: ModelFolder) -> None:
    """Run a prompt and a token: some types want a cache of their own, or fail on their config."""
    try:
        decoder.decode(decoder.prefill([0, 0]), max_new_tokens=2, ignore_eos=True)
    except Exception as error:
        said = in_one_line(f"{type(error).__name__}: {error}")
        raise ModelError(
            f"transformers can't run {folder.architecture!r} of {folder.path} with a cache: {said}",
            fix="choose another backend",
        ) from error


def _check_quantiser(folder: ModelFolder) -> None:
    """Weights that came quantised are run by transformers where the package of their method is there."""
    missing = [name for name in QUANTISERS.get(folder.quantised or "", ()) if util.find_spec(name) is None]
    if missing:
        packages = [name.replace("_", "-") for name in missing]
        raise ModelError(
            f"the weights of {folder.path} are quantised by {folder.quantised}, for which transformers needs "
            f"{' '.join(packages)}",
            fix=f"type: {pip('install', *packages)}, or give the folder of the full weights",
        )


def _device(name: str) -> torch.device:
    import torch

    present = {"mps": torch.backends.mps.is_available(), "cuda": torch.cuda.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, here in present.items() if here)
    if not present[name]:
        usable = ", ".join(device for device, here in present.items() if here)
        raise ModelError(f"torch finds no device {name} on this machine", fix=f"use one of: auto, {usable}")
    return torch.device(name)


def _limit_bytes(device: torch.device) -> int | None:
    """Memory that a device can hold; None for the cpu, whose memory is the machine's."""
    import torch

    if device.type == "mps":
        return int(torch.mps.recommended_max_memory())
    return int(torch.cuda.get_device_properties(device).total_memory) if device.type == "cuda" else None


def _load_model(folder: ModelFolder, dtype: str) -> Any:
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    if folder.architecture not in CONFIG_MAPPING:
        raise ModelError(
            f"transformers has no model type {folder.architecture!r}", fix="choose another model"
        )
    if folder.architecture not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(
            f"transformers has no text model {folder.architecture!r} apart from its other parts",
            fix="choose another backend",
        )
    try:
        with _quiet():
            model, report = AutoModelForCausalLM.from_pretrained(
                folder.path,
                config=CONFIG_MAPPING[folder.architecture].from_dict(dict(folder.config)),
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                key_mapping=RENAMED if folder.sees else None,
            )
    except Exception as error:  # a model file raises what it likes
        said = in_one_line(f"{type(error).__name__}: {error}")
        raise ModelError(
            f"transformers can't load {folder.architecture!r} of {folder.path}: {said}",
            fix="fetch it again, or choose another backend",
        ) from error
    _check_weights_used(report, folder)
    # where it is set, each forward of GPT-2 looks for padding among its tokens, and so waits for the device
    model.config.pad_token_id = None
    return model


def _check_weights_used(report: Any, folder: ModelFolder) -> None:
    """Every weight is loaded except those of the layers left out; transformers itself would only warn."""
    left_over = [
        name
        for name in report["unexpected_keys"]
        if (not folder.sees or text_weight(name) is not None)
        and ((number := layer_of(name)) is None or number < folder.layers)
    ]
    for what, names in (("lacks", report["missing_keys"]), ("has no place for", left_over)):
        if names:
            some = ", ".join(sorted(names)[:3])
            raise ModelError(
                f"the model in {folder.path} {what} {len(names)} weights ({some})",
                fix="fetch the model again",
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and load report off the terminal; `_check_weights_used` judges the report."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
