"""What things of a run are called where a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.words import listed
from backends.base import BackendInfo
from bench.run.observed import NOT_SHOWN
from bench.run.records import ArmKey
from bench.suite.asked import asked_of_run
from bench.suite.header import ModelFound, RunHeader
from bench.suite.plan import Arm

WORDS = {
    "arm": "configuration",
    "passes": "repeats",
    "pass_number": "repeat",
    "slot": "window",
    "slots": "windows",
    "new_tokens": "generated_tokens",
    "agreement": "token_match",
    "noise_floor": "noise",
    "withheld": "not_estimated",
}
"""Names in code and in a run's records -> the field's words, which stand in every file and table."""
_BOUNDARIES = {
    "soc_cpu_gpu_ane": "CPU+GPU+ANE",
    "soc_plus_dram": "CPU+GPU+DRAM",
    "package": "CPU package",
    "system_dc": "whole machine",
    "wall": "at the plug",
    "modelled": "CPU time",
}


def in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row under the names that it has in files and tables."""
    return {word(name): value for name, value in row.items()}


def word(name: str) -> str:
    """A name as it stands in files and tables: `configuration` for `arm`, `decode_not_estimated`."""
    first, _, last = name.rpartition("_")
    return f"{first}_{WORDS[last]}" if first and last == "withheld" else WORDS.get(name, name)


def arm_label(key: ArmKey) -> str:
    """The name of an arm in every analysis: `torch`, `torch (A/A)`."""
    backend, gate, a_a = key
    return Arm(backend=backend, gate=gate, a_a=a_a).label


def boundary_words(boundary: str) -> str:
    """What the joules cover: `CPU+GPU+ANE`."""
    return _BOUNDARIES.get(boundary, boundary)


def model_name(name: str) -> str:
    """A model: its name or hub id as it was asked for; of a folder, what the folder is called."""
    return Path(name).name if Path(name).is_absolute() else name


def models_and_types(header: RunHeader, loaded: Mapping[str, BackendInfo]) -> list[str]:
    """The models, each with the type that it ran in: `smollm2-135m (float32, saved as bfloat16)`.

    Args:
        header: of the run.
        loaded: what was loaded, by `backend/model`.
    """
    return list(
        dict.fromkeys(
            f"{model_name(model.name)}{_in_type(model, key, loaded)}" for key, model in header.models.items()
        )
    )


def _in_type(model: ModelFound, key: str, loaded: Mapping[str, BackendInfo]) -> str:
    by_backend = {
        info.backend: info.dtype
        for where, info in loaded.items()
        if where.partition("/")[2] == key and not info.stand_in
    }
    if any(info.served for where, info in loaded.items() if where.partition("/")[2] == key):
        return f" (served: {NOT_SHOWN})"
    if model.saved_as is not None and model.saved_as.endswith(" bits"):
        return f" ({model.saved_as})"
    types = list(dict.fromkeys(by_backend.values()))
    if not types:
        return ""
    if len(types) > 1:
        return f" ({listed([f'{dtype} on {backend}' for backend, dtype in by_backend.items()])})"
    saved = f", saved as {model.saved_as}" if model.saved_as not in (None, types[0]) else ""
    return f" ({types[0]}{saved})"


def baseline_model(header: RunHeader) -> str:
    """Name of the model that the baseline runs; of the first, where the suite does not say."""
    gate = asked_of_run(header).gates.get(header.baseline)
    full = gate.options.get("full") if gate else None
    key = full.get("model") if isinstance(full, dict) else None
    names = {key: model_name(model.name) for key, model in header.models.items()}
    return names.get(str(key)) or next(iter(names.values()), "the model")
