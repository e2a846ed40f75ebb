"""KV-Direct beside the policies that evict, all holding as many bytes: tokens, bytes and time of a step.

    python benchmarks/kv_budgets.py MODEL [--backend torch] [--prompts 64,128,256] [--hot 16] [--new 32]

What `h0` holds with so many hot positions is the budget; every policy gets as many positions as fit in it and
keeps to it (`kv_bounded`). `layers` holds what it needs. Token match is with the whole cache, over all texts;
the time of a step is over that of the whole cache, which runs before and after each. The table is Markdown.
Joules are left to `bench sweep`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import mean, median

from analysis.quality import agreement
from backends.base import Backend, Generated
from backends.cut import FULL, Cut
from bench.suite import plugins
from bench.suite.models import locate
from bench.suite.prompts import load_prompts

POLICIES = ("window", "sinks_window", "heavy_hitters", "snapkv", "tova")
WINDOW = 8
"""Of SnapKV, so that it fits in small budgets."""


def cuts_within(backend: Backend, tokens: int, hot: int) -> dict[str, Cut]:
    """Every method at what `h0` holds of a prompt of so many tokens."""
    shape = backend.shape()
    assert shape is not None, "counted"
    budget_bytes = hot * shape.position_bytes + tokens * shape.width * shape.number_bytes
    kept = budget_bytes / shape.position_bytes / tokens
    found = {
        f"kv_direct {variant}": Cut.model_validate({"kv_direct": variant, "kv_hot": hot})
        for variant in ("h0", "layers")
    }
    for policy in POLICIES:
        values = {"kv_keep": min(1.0, kept), "kv_policy": policy, "kv_bounded": True, "snapkv_window": WINDOW}
        found[policy] = Cut.model_validate(values)
    return found


def answered(backend: Backend, ids: list[int], cut: Cut, new_tokens: int) -> tuple[Generated, float]:
    """An answer, and the seconds of a step of it."""
    session = backend.prefill(ids, cut)
    backend.synchronize()
    start_s = time.perf_counter()
    made = backend.decode(session, max_new_tokens=new_tokens, ignore_eos=True)
    return made, (time.perf_counter() - start_s) / made.forwards


def rows(backend: Backend, texts: list[list[int]], hot: int, new_tokens: int) -> list[str]:
    """A line of the table for every method."""
    tokens = len(texts[0])
    lines = []
    for name, cut in {"whole cache": FULL, **cuts_within(backend, tokens, hot)}.items():
        backend.ready(cut)
        match, ratios, made = [], list[float](), None
        for ids in texts:
            whole, before_s = answered(backend, ids, FULL, new_tokens)
            made, step_s = answered(backend, ids, cut, new_tokens)
            _, after_s = answered(backend, ids, FULL, new_tokens)
            match.append(agreement(whole.tokens, made.tokens))
            ratios.append(2 * step_s / (before_s + after_s))
        assert made is not None
        assert made.used is not None
        held, alive = made.used.cache_bytes or 0, made.rebuilt_bytes
        lines.append(
            f"| {tokens} | {name} | {held:,} | {alive:,} | {mean(match):.0%} | {median(ratios):.2f} |"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--backend", default="torch", choices=("torch", "mlx"))
    parser.add_argument("--prompts", default="64,128,256", help="their tokens")
    parser.add_argument("--hot", type=int, default=16)
    parser.add_argument("--new", type=int, default=32)
    parser.add_argument("--texts", type=int, default=4)
    options = parser.parse_args()
    here = locate(options.model)
    if here is None or here.folder is None:
        sys.exit(f"the model {options.model!r} is not here; run: bench models fetch {options.model}")
    backend: Backend = plugins.create("backends", options.backend, {"folder": here.folder})
    words = " ".join(prompt.text for prompt in load_prompts("mixed", beside=Path()).prompts)
    ids = backend.encode(words)
    print("| prompt tokens | cache | held, bytes | rebuilt at a time, bytes | token match | time of a step |")
    print("|---|---|---|---|---|---|")
    for tokens in (int(text) for text in options.prompts.split(",")):
        texts = [ids[n * tokens : (n + 1) * tokens] for n in range(options.texts)]
        print("\n".join(rows(backend, texts, options.hot, options.new)), flush=True)


if __name__ == "__main__":
    main()
