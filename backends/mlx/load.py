"""MLX: mlx-lm's model definitions on Metal, or on MLX's Linux build.

This file only loads. It is cheap to import, so that a suite's options can be checked
against `load` without MLX; the loops are in `decoder.py`.

mlx-lm reads the rotary numbers at the top level of the config and falls back to defaults of its own, so a
folder that keeps them in `rope_parameters`, as transformers 5 writes them, would load and be another model.
They are put where mlx-lm looks for them, and so is the number of experts; nothing else is changed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from backends.about import About, Tools, about
from backends.base import CHUNK, Backend, ModelError
from backends.folder import ModelFolder, layer_of, open_folder
from backends.text_model import text_weight
from backends.tokenizer import Tokenizer
from backends.trial import in_one_line
from backends.weights import check_fits

Classes = tuple[type[Any], type[Any]]


def _tools() -> Tools:
    from backends.mlx import tools

    return tools


WHOLE = {"qwen3_5_text": "qwen3_5", "qwen3_5_moe_text": "qwen3_5_moe"}
"""Types of text models that mlx-lm knows as a part of the whole model, its `language_model`."""
ABOUT = About(
    needs=("mlx", "mlx_lm"),
    install="joulebench[mlx]",
    packages=("mlx", "mlx-lm", "mlx-cpu", "tokenizers"),
    unused=("torch",),  # transformers, which mlx-lm imports for its tokenizers, would import it
    gpu="Metal",
    tools=_tools,
    at="split",
)


@about(ABOUT)
def load(
    *,
    folder: Path,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    layers: int | None = None,
    prefill_chunk: Annotated[int, Field(ge=1)] = CHUNK,
    tf32: bool = False,
    split: Literal["tensor", "pipeline"] | None = None,
    ranks: Annotated[int, Field(ge=2, le=64)] = 2,
) -> Backend:
    """Load a model folder with mlx-lm, on Metal where there is one.

    Args:
        folder: Hugging Face folder with `config.json`, `tokenizer.json` and safetensors.
        dtype: Type of the weights, the cache and the arithmetic. Quantised weights run as they were saved.
        layers: Keep only the first so many decoder layers; None keeps all.
        prefill_chunk: Prompt tokens of a forward at most; a longer prompt is fed in several.
        tf32: Let chips that can (M5, macOS 26.2 and later) multiply float32 with 10 bits of mantissa.
        split: Let several processes run it, each with a share of every matrix or with some of the layers.
        ranks: How many, if it is split.

    Raises:
        MissingLibrary: mlx or mlx-lm is not installed.
        ModelError: The folder can't be loaded, or mlx-lm does not know its architecture.
    """
    ABOUT.require()
    os.environ["MLX_ENABLE_TF32"] = str(int(tf32))  # MLX looks once, at its first product
    from backends.drop_lists import leave_out_as_its_config_says
    from backends.mlx.decoder import MlxDecoder
    from backends.mlx.parts import MlxParts

    opened = open_folder(folder, layers=layers)
    check_fits(opened, dtype, limit_bytes=_limit_bytes(), what="what Metal recommends to hold")
    tokenizer = Tokenizer(folder)
    model = _load_model(opened, dtype, whole=split is None)
    leave_out_as_its_config_says(MlxParts(None), model, opened)
    make: Callable[..., MlxDecoder] = MlxDecoder
    if split is not None:
        from backends.mlx.split import SplitDecoder

        make = partial(SplitDecoder, how=split, ranks=ranks)
    return make(model, tokenizer=tokenizer, folder=opened, dtype=dtype, chunk=prefill_chunk, tf32=tf32)


def _limit_bytes() -> int | None:
    """Metal's recommended working set; None where there is no Metal."""
    import mlx.core as mx

    limit_bytes = mx.device_info().get("max_recommended_working_set_size")
    return None if limit_bytes is None else int(limit_bytes)


def _load_model(folder: ModelFolder, dtype: str, *, whole: bool) -> Any:
    """The model; its weights are read and tried at once if this process runs the whole of it."""
    import mlx.core as mx
    from mlx_lm.utils import _get_classes, load_model

    doing, printed = "load", io.StringIO()
    try:
        # Lazy, so that weights are read from disk in the wanted type, once.
        with redirect_stdout(printed):
            model, _ = load_model(
                folder.path,
                lazy=True,
                model_config=under_the_names_of_mlx_lm(folder.config),
                get_model_classes=_first_layers_only(_get_classes, folder),
            )
        if folder.quantised is None:  # scales and what is left whole stay as they were saved
            model.set_dtype(getattr(mx, dtype))
        model.eval()
        if whole:
            mx.eval(model.parameters())
            doing = "run"
            mx.eval(model(mx.array([[0]])))
    except (Exception, SystemExit) as error:
        # a model file raises what it likes (one prints and exits), and some fail in their first forward
        said = printed.getvalue() if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
        raise ModelError(
            f"mlx-lm can't {doing} {folder.architecture!r} of {folder.path}: {in_one_line(said)}",
            fix="fetch it again, or choose another backend",
        ) from error
    return getattr(model, "language_model", model)


def under_the_names_of_mlx_lm(config: dict[str, Any]) -> dict[str, Any]:
    """A config with what transformers 5 renamed where mlx-lm looks for it, unless it is there already."""
    given = config.get("rope_parameters") or {}
    by_layer = {kind: numbers for kind, numbers in given.items() if isinstance(numbers, dict)}
    numbers = by_layer.get("full_attention", given if not by_layer else {})
    theta, share = numbers.get("rope_theta"), numbers.get("partial_rotary_factor")
    looked_for = {
        "rope_theta": theta,
        "rotary_emb_base": theta,
        "partial_rotary_factor": share,
        "rotary_pct": share,
        "rope_local_base_freq": by_layer.get("sliding_attention", {}).get("rope_theta"),
        "num_experts": config.get("num_local_experts"),
        "rope_scaling": numbers if numbers.get("rope_type", "default") != "default" else None,
    }
    missing = {
        key: value for key, value in looked_for.items() if value is not None and config.get(key) is None
    }
    # some of its models want the key even where nothing is scaled
    found = {"rope_scaling": None} | config | missing
    whole = WHOLE.get(str(config.get("model_type")))
    return found | {"model_type": whole, "text_config": found} if whole else found


def _first_layers_only(
    get_classes: Callable[[dict[str, Any]], Classes], folder: ModelFolder
) -> Callable[[dict[str, Any]], Classes]:
    """Wrap mlx-lm's class lookup so that weights of later layers, or of no text, are dropped.

    Turning its strict check off instead would also accept a file in which weights are missing.
    """

    def classes(config: dict[str, Any]) -> Classes:
        model_class, args_class = get_classes(config)

        class Shortened(model_class):  # type: ignore[valid-type,misc]
            def sanitize(self, weights: dict[str, Any]) -> dict[str, Any]:
                if folder.sees:
                    renamed = ((text_weight(name), weight) for name, weight in weights.items())
                    weights = {name: weight for name, weight in renamed if name is not None}
                kept = {
                    name: weight
                    for name, weight in weights.items()
                    if (number := layer_of(name)) is None or number < folder.layers
                }
                return super().sanitize(kept) if hasattr(model_class, "sanitize") else kept

        return Shortened, args_class

    return classes
