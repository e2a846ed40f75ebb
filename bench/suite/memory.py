"""Do the models of a run fit into this machine's memory? Asked before any of them is loaded."""

from __future__ import annotations

import psutil

from analysis.words import listed
from backends.base import ModelError
from backends.folder import open_folder
from backends.weights import SMALLER, loaded_bytes
from bench.errors import UserError
from bench.suite.config import Model
from bench.suite.models import LocalModel
from bench.suite.prepare import Prepared


def check_fits(prepared: Prepared) -> None:
    """Refuse a run whose weights are larger than the memory; models that are not here yet are passed over.

    Every backend loads every model, and all stay loaded until the end of the run.

    Raises:
        UserError: with the numbers.
    """
    needed_bytes: dict[str, int] = {}
    for backend in prepared.backends:
        for key, model in prepared.models.items():
            here = prepared.locate(model, backend)
            if here is not None:
                needed_bytes[f"{key} on {backend}"] = weights_bytes(here, model)
    total_bytes = psutil.virtual_memory().total
    if sum(needed_bytes.values()) <= total_bytes:
        return
    each = listed([f"{name} {size / 1e9:.1f} GB" for name, size in needed_bytes.items()])
    alone = len(needed_bytes) == 1
    raise UserError(
        f"the weights ({each}) are larger than the memory of this machine, {total_bytes / 1e9:.1f} GB",
        fix=SMALLER if alone else f"{SMALLER}, or run fewer models or backends at a time",
    )


def weights_bytes(here: LocalModel, model: Model) -> int:
    """What the weights take once they are loaded; of files that are no safetensors their size."""
    if here.folder is None or here.file is not None or not any(here.folder.glob("model*.safetensors")):
        return here.size_bytes
    try:
        return loaded_bytes(open_folder(here.folder, layers=model.layers), model.dtype)
    except ModelError:
        return here.size_bytes  # whoever loads it says what is wrong
