"""What things of a run are called where a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.suite.asked import asked_of_run
from bench.suite.header import RunHeader

WORDS = {
    "arm": "configuration",
    "passes": "repeats",
    "pass_number": "repeat",
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
    return {WORDS.get(name, name): value for name, value in row.items()}


def boundary_words(boundary: str) -> str:
    """What the joules cover: `CPU+GPU+ANE`."""
    return _BOUNDARIES.get(boundary, boundary)


def model_name(name: str) -> str:
    """A model: its name or hub id as it was asked for; of a folder, what the folder is called."""
    return Path(name).name if Path(name).is_absolute() else name


def baseline_model(header: RunHeader) -> str:
    """Name of the model that the baseline runs; of the first, where the suite does not say."""
    gate = asked_of_run(header).gates.get(header.baseline)
    full = gate.options.get("full") if gate else None
    key = full.get("model") if isinstance(full, dict) else None
    names = {key: model_name(model.name) for key, model in header.models.items()}
    return names.get(str(key)) or next(iter(names.values()), "the model")
