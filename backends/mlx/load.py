"""MLX: mlx-lm's model definitions on Metal, or on MLX's Linux build.

This file only loads. It is cheap to import, so that a suite's options can be checked
against `load` without MLX; the loops are in `decoder.py`.

The config goes to mlx-lm as it is. mlx-lm reads `rope_theta` at the top level only and falls
back to 10000, so a folder that keeps it elsewhere loads and disagrees with PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from backends.about import About, Tools, about
from backends.base import Backend, ModelError
from backends.folder import ModelFolder, layer_of, open_folder
from backends.tokenizer import Tokenizer

Classes = tuple[type[Any], type[Any]]


def _tools() -> Tools:
    from backends.mlx import tools

    return tools


ABOUT = About(
    needs=("mlx", "mlx_lm"),
    install="joulebench[mlx]",
    packages=("mlx", "mlx-lm", "mlx-cpu", "tokenizers"),
    gpu="Metal",
    tools=_tools,
)


@about(ABOUT)
def load(
    *,
    folder: Path,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    layers: int | None = None,
) -> Backend:
    """Load a model folder with mlx-lm, on Metal where there is one.

    Args:
        folder: Hugging Face folder with `config.json`, `tokenizer.json` and safetensors.
        dtype: Type of the weights, the cache and the arithmetic.
        layers: Keep only the first so many decoder layers; None keeps all.

    Raises:
        MissingLibrary: mlx or mlx-lm is not installed.
        ModelError: The folder can't be loaded, or mlx-lm does not know its architecture.
    """
    ABOUT.require()
    from backends.mlx.decoder import MlxDecoder

    opened = open_folder(folder, layers=layers)
    tokenizer = Tokenizer(folder)
    return MlxDecoder(_load_model(opened, dtype), tokenizer=tokenizer, folder=opened, dtype=dtype)


def _load_model(folder: ModelFolder, dtype: str) -> Any:
    import mlx.core as mx
    from mlx_lm.utils import _get_classes, load_model

    try:
        # Lazy, so that weights are read from disk in the wanted type, once.
        model, _ = load_model(
            folder.path,
            lazy=True,
            model_config=folder.config,
            get_model_classes=_first_layers_only(_get_classes, folder.layers),
        )
        model.set_dtype(getattr(mx, dtype))
        mx.eval(model.parameters())
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ModelError(f"mlx-lm can't load {folder.path}: {error}") from error
    model.eval()
    return model


def _first_layers_only(
    get_classes: Callable[[dict[str, Any]], Classes], layers: int
) -> Callable[[dict[str, Any]], Classes]:
    """Wrap mlx-lm's class lookup so that weights of later layers are dropped before its strict check.

    Turning the check off instead would also accept a file in which weights are missing.
    """

    def classes(config: dict[str, Any]) -> Classes:
        model_class, args_class = get_classes(config)

        class Shortened(model_class):  # type: ignore[valid-type,misc]
            def sanitize(self, weights: dict[str, Any]) -> dict[str, Any]:
                kept = {
                    name: weight
                    for name, weight in weights.items()
                    if (number := layer_of(name)) is None or number < layers
                }
                return super().sanitize(kept) if hasattr(model_class, "sanitize") else kept

        return Shortened, args_class

    return classes
