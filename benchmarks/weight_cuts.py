"""Cuts of weights side by side: what a forward reads, what memory holds, and the perplexity of a text.

    python -m benchmarks.weight_cuts MODEL [--text FILE] [--window 512] [--windows 4] [--only bitstack]

Layers that are dropped, shared and flattened are the same: the neighbours whose inputs are most alike over
the prompts of `mixed`. Bits of the stack stand beside plain rounding. Nothing is timed. The text is that of
the prompts, or a file; a cut that is fitted is fitted to the text that comes along, which is another one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Backend, BackendError
from backends.cut import FULL, Cut
from backends.torch import load as on_torch
from bench.studies.cuts.redundancy import label_layers, most_alike
from bench.studies.cuts.texts import load_text, text_of_prompts
from bench.suite.models import locate
from bench.suite.prompts import load_prompts

STACK_BITS = (1.75, 2.5, 3.5, 5.25, 7, 10.5)
HEAD = ("cut", "read a token, MB", "held, MB", "perplexity", "rise")


def pairs_of(backend: Backend) -> list[tuple[int, int]]:
    """Three pairs of neighbours, the most alike first."""
    prompts = load_prompts("mixed", beside=Path(), limit=10).prompts
    seen = [backend.redundancy(backend.encode(prompt.text)) for prompt in prompts]
    changes = np.array([[one.attention, one.mlp, one.block] for one in seen], dtype=np.float64).mean(axis=0)
    return list(most_alike(label_layers(changes), 3))


def cuts_of(pairs: list[tuple[int, int]]) -> Iterator[tuple[str, Cut]]:
    """Every row's name and cut."""
    yield "none", FULL
    for some in (pairs[:1], pairs):
        said = ", ".join(f"{early}-{late}" for early, late in some)
        late = [late for _, late in some]
        yield f"drop_blocks {', '.join(map(str, late))}", _cut(drop_blocks=late)
        yield f"share {said}", _cut(share=some)
        yield f"flatten {said}, all units", _cut(flatten={"pairs": some, "mlp_keep": 1.0})
        yield f"flatten {said}, half", _cut(flatten=some)
    for bits in (16, 8, 4):
        yield f"weight_bits {bits}", _cut(weight_bits=bits)
    for share in STACK_BITS:
        yield f"bitstack {share:g}", _cut(bitstack=share)


def _cut(**values: Any) -> Cut:
    return Cut.model_validate(values)


def perplexity(backend: Backend, pieces: list[list[int]], cut: Cut) -> float:
    """Of all pieces, each read by itself."""
    backend.ready(cut)
    return float(np.exp(-np.concatenate([backend.score(ids, cut) for ids in pieces]).mean()))


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--text", help="file, or wikitext-2; default: the words of the prompts")
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--only", default="", help="only cuts whose name contains this")
    options = parser.parse_args()
    here = locate(options.model)
    if here is None or here.folder is None:
        sys.exit(f"the model {options.model!r} is not here; run: bench models fetch {options.model}")
    backend = on_torch.load(folder=here.folder, device="cpu")
    text = load_text(options.text) if options.text else text_of_prompts(load_prompts("mixed", beside=Path()))
    ids = backend.encode(text.text)[: options.window * options.windows]
    pieces = [ids[begin : begin + options.window] for begin in range(0, len(ids) - 1, options.window)]
    print(f"{text.name}, {len(ids)} tokens in pieces of {options.window}, float32, torch on cpu\n")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    whole = perplexity(backend, pieces, FULL)
    for name, cut in cuts_of(pairs_of(backend)):
        if options.only in name or cut is FULL:
            print(row(backend, name, cut, pieces, whole), flush=True)
            backend.forget()


def row(backend: Backend, name: str, cut: Cut, pieces: list[list[int]], whole: float) -> str:
    """One line of the table; why a cut was refused where it was."""
    try:
        found = perplexity(backend, pieces, cut)
    except BackendError as error:
        return f"| {name} | {error} |"
    shape = backend.shape(cut)
    assert shape is not None
    assert shape.held_bytes is not None
    sizes = (f"{shape.weight_bytes / 1e6:.1f}", f"{shape.held_bytes / 1e6:.1f}")
    return f"| {name} | {' | '.join(sizes)} | {found:.2f} | {100 * (found / whole - 1):+.1f} % |"


if __name__ == "__main__":
    main()
