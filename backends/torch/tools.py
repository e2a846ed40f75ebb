"""What PyTorch does for the harness without a loaded model; see `backends.about.Tools`."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from backends.about import BUSY_SIDE
from backends.tiny import start_tiny


def gpu_works() -> bool:
    """Whether MPS is there."""
    return torch.backends.mps.is_available()


def keep_gpu_busy() -> NoReturn:
    """Multiply matrices on MPS, one product in flight."""
    left = torch.rand(BUSY_SIDE, BUSY_SIDE, device="mps")
    while True:
        torch.mm(left, left)
        torch.mps.synchronize()


def write_tiny(source: Path, out: Path) -> None:
    """Write the folder of a tiny model of random weights."""
    config = start_tiny(source, out)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[config["model_type"]].from_dict(dict(config)))
    model.save_pretrained(out)
    start_tiny(source, out)  # the library has written a config of its own
