"""Prompt lookup against plain greedy decoding: the same tokens, and how many forwards are saved.

    python benchmarks/lookup.py MODEL_FOLDER [--backend torch] [--new-tokens 24] [--set short_questions ...]

Every prompt of the sets is decoded twice, one way after the other. Exit code 1 if a token differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from backends.base import Backend, Generated
from backends.cut import FULL, Cut
from bench.suite import plugins
from bench.suite.prompts import load_prompts


def main() -> int:
    """Decode every prompt both ways and print a row per set."""
    options = _options()
    model: Backend = plugins.create("backends", options.backend, {"folder": options.folder})
    table = Table("set", "prompts", "equal", "forwards", "with lookup", "saved", "seconds", "with lookup")
    all_equal = True
    for name in options.set:
        row, equal = _compare(model, name, options.new_tokens)
        table.add_row(name, *row)
        all_equal &= equal
    Console(width=120).print(table)
    return 0 if all_equal else 1


def _compare(model: Backend, name: str, new_tokens: int) -> tuple[list[str], bool]:
    prompts = load_prompts(name, beside=Path()).prompts
    equal, plain_forwards, forwards, plain_s, seconds = 0, 0, 0, 0.0, 0.0
    for prompt in prompts:
        ids = model.encode(prompt.text)
        plain, took_s = _decode(model, ids, FULL, new_tokens)
        copied, copied_s = _decode(model, ids, Cut(lookup=True), new_tokens)
        equal += plain.tokens == copied.tokens
        plain_forwards, forwards = plain_forwards + plain.forwards, forwards + copied.forwards
        plain_s, seconds = plain_s + took_s, seconds + copied_s
    saved = 1 - forwards / plain_forwards
    counts = [str(len(prompts)), f"{equal}", f"{plain_forwards}", f"{forwards}", f"{saved:.1%}"]
    return [*counts, f"{plain_s:.1f}", f"{seconds:.1f}"], equal == len(prompts)


def _decode(model: Backend, ids: list[int], cut: Cut, new_tokens: int) -> tuple[Generated, float]:
    session = model.prefill(ids, cut)
    model.synchronize()
    start_s = time.perf_counter()
    generated = model.decode(session, max_new_tokens=new_tokens, ignore_eos=True)
    return generated, time.perf_counter() - start_s


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--new-tokens", type=int, default=24)
    parser.add_argument("--set", nargs="+", default=["short_questions", "mixed"])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
