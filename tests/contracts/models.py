"""Tiny models on every backend that runs one, for the contract suites."""

import os
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, Generated
from backends.cut import FULL, Cut
from backends.echo import load as echo
from backends.guard import Observed, Verdict, judge
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch
from tests.tiny_models import CONTEXT, LOGITS_APART

MODEL_BACKENDS = {"torch": on_torch.load, "mlx": on_mlx.load}
DEVICE = "JOULEBENCH_TEST_DEVICE"
"""What pytest's `--device` is for the contract suites: cpu, mps, or mps-like (`tests.backends.mps_like`)."""
_UNCUT: WeakKeyDictionary[Backend, dict[tuple[int, ...], tuple[Generated, NDArray[np.float32]]]]
_UNCUT = WeakKeyDictionary()
"""Without a cut, by prompt: computed once for all cuts."""
PROMPT = "Joules, not watts: größer"


def load_tiny(name: str, folder: Path | None, layers: int | None = None) -> Backend:
    if name == "echo":
        return echo.load(layers=layers, cpu_s_per_token=0, context=CONTEXT)
    device = {"device": os.environ.get(DEVICE, "cpu").removesuffix("-like")} if name == "torch" else {}
    return MODEL_BACKENDS[name](folder=folder, layers=layers, **device)


def model_on_cpu(backend: Backend) -> Any:
    """The module that a torch backend runs, or on a device the same weights on the cpu."""
    if backend.info.device == "cpu":
        return backend._model  # type: ignore[attr-defined]
    return on_torch.load(folder=backend._folder.path, device="cpu")._model  # type: ignore[attr-defined]


def logits_apart(backend: Backend) -> float:
    """How far logits of two libraries may lie apart."""
    return LOGITS_APART.get(backend.info.architecture, 1e-4)


def generate(
    backend: Backend, ids: list[int], cut: Cut = FULL, *, max_new_tokens: int, ignore_eos: bool = True
) -> Generated:
    return backend.decode(backend.prefill(ids, cut), max_new_tokens=max_new_tokens, ignore_eos=ignore_eos)


def verdict(backend: Backend, cut: Cut, ids: list[int]) -> Verdict:
    known = _UNCUT.setdefault(backend, {})
    if tuple(ids) not in known:
        full = generate(backend, ids, max_new_tokens=3)
        known[tuple(ids)] = full, backend.logits_after(ids, full.tokens[:2])
    full, full_logits = known[tuple(ids)]
    seen = Observed(
        full=full,
        cut=generate(backend, ids, cut, max_new_tokens=3),
        full_logits=full_logits,
        cut_logits=backend.logits_after(ids, full.tokens[:2], cut),
    )
    return judge(cut, seen)
