"""Does a cut save the time that its bytes promise? Gate efficiency of every cut, per backend.

    python benchmarks/cuts.py MODEL_FOLDER [--backend mlx] [--new-tokens 24] [--rounds 9] [--prompt-tokens 64]

A decode step that is bound by memory takes as long as its bytes take to read, so a cut that skips 30 % of
the bytes should save 30 % of the time. Gate efficiency is the saving measured over the saving promised:

    (1 - seconds with / seconds without) / (1 - bytes with / bytes without)

One process; in every round each cut takes its turn between two turns of the whole model, whose mean it is
compared with, so that a slow drift of the machine cancels. Seconds are of a decode step: the decode of a
request over its forwards, from an idle device to an idle device. Bytes are those of the ledger.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from backends.base import Backend
from backends.cut import FULL, Cut
from backends.ledger import decode_work
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch

LOADERS: dict[str, Callable[..., Backend]] = {"torch": on_torch.load, "mlx": on_mlx.load}
MUST_SAVE = ("mlp_keep 0.5", "drop half the blocks")
ENOUGH = 0.7
SMALLEST_PROMISE = 0.02


@dataclass(frozen=True, kw_only=True)
class Saving:
    """One cut on one backend; ratios are with the cut over without."""

    name: str
    bytes_ratio: float
    time_ratios: list[float]
    """Of each round."""

    @property
    def efficiency(self) -> float | None:
        """The part of the promised saving that was measured; None if too little was promised to be seen."""
        promised = 1 - self.bytes_ratio
        return (1 - median(self.time_ratios)) / promised if promised >= SMALLEST_PROMISE else None


def cuts_for(layers: int) -> dict[str, Cut]:
    """The cuts that are timed, by name."""
    odd = tuple(range(1, layers, 2))
    return {
        "mlp_keep 0.75": Cut(mlp_keep=0.75),
        "mlp_keep 0.5": Cut(mlp_keep=0.5),
        "mlp_keep 0.25": Cut(mlp_keep=0.25),
        "drop half the MLPs": Cut(drop_mlp=odd),
        "drop half the attention": Cut(drop_attention=odd),
        "drop half the blocks": Cut(drop_blocks=odd),
        "kv_keep 0.25": Cut(kv_keep=0.25),
        "16 bits": Cut(weight_bits=16),
        "8 bits": Cut(weight_bits=8),
        "4 bits": Cut(weight_bits=4),
        "drop half the blocks, 8 bits": Cut(drop_blocks=odd, weight_bits=8),
    }


def step_s(backend: Backend, ids: list[int], cut: Cut, new_tokens: int) -> float:
    """Seconds per new token of a request, the first one left out."""
    session = backend.prefill(ids, cut)
    backend.synchronize()
    start_s = time.perf_counter()
    generated = backend.decode(session, max_new_tokens=new_tokens, ignore_eos=True)
    return (time.perf_counter() - start_s) / (len(generated.tokens) - 1)


def step_bytes(backend: Backend, ids: list[int], cut: Cut, new_tokens: int) -> int:
    """Bytes that the decode of the request has to read."""
    kept, shape = cut.kept_positions(len(ids)), backend.shape(cut)
    assert shape is not None, "the embedded model is counted"
    return decode_work(shape, kept, [(1, 1)] * (new_tokens - 1)).bytes


def measure(
    backend: Backend, ids: list[int], cuts: dict[str, Cut], *, new_tokens: int, rounds: int
) -> list[Saving]:
    """Time every cut between two turns of the whole model, `rounds` times."""
    for cut in (FULL, *cuts.values()):
        backend.ready(cut)
        step_s(backend, ids, cut, new_tokens)  # warms up
    ratios: dict[str, list[float]] = {name: [] for name in cuts}
    for _ in range(rounds):
        before_s = step_s(backend, ids, FULL, new_tokens)
        for name, cut in cuts.items():
            cut_s = step_s(backend, ids, cut, new_tokens)
            after_s = step_s(backend, ids, FULL, new_tokens)
            ratios[name].append(2 * cut_s / (before_s + after_s))
            before_s = after_s
    whole = step_bytes(backend, ids, FULL, new_tokens)
    return [
        Saving(
            name=name,
            bytes_ratio=step_bytes(backend, ids, cut, new_tokens) / whole,
            time_ratios=ratios[name],
        )
        for name, cut in cuts.items()
    ]


def line(saving: Saving) -> str:
    """One row of the table."""
    low, middle, high = quantiles(saving.time_ratios, n=4)
    efficiency = "     -" if saving.efficiency is None else f"{saving.efficiency:6.0%}"
    return (
        f"  {saving.name:30} {saving.bytes_ratio:7.3f} {middle:7.3f}  ({low:.3f} to {high:.3f})  {efficiency}"
    )


def main() -> int:
    """Print the table; 1 if a cut that must save does not save enough on torch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--backend", choices=list(LOADERS), help="only this one; default: both")
    parser.add_argument("--only", help="only cuts whose name contains this")
    parser.add_argument("--new-tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--prompt-tokens", type=int, default=64)
    options = parser.parse_args()
    short = False
    for name in [options.backend] if options.backend else LOADERS:
        backend = LOADERS[name](folder=options.folder)
        info = backend.info
        print(f"{name} on {info.device}, {info.dtype}; {options.prompt_tokens} prompt tokens, ", end="")
        print(f"{options.new_tokens} new tokens, {options.rounds} rounds; with the cut over without")
        print("  cut                              bytes    time  (quartiles)        efficiency", flush=True)
        ids = [7 * n % info.vocabulary for n in range(1, options.prompt_tokens + 1)]
        cuts = {key: cut for key, cut in cuts_for(info.layers).items() if (options.only or "") in key}
        for saving in measure(backend, ids, cuts, new_tokens=options.new_tokens, rounds=options.rounds):
            print(line(saving), flush=True)
            must = name == "torch" and saving.name in MUST_SAVE
            short |= must and (saving.efficiency is None or saving.efficiency < ENOUGH)
        backend.close()
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
