"""The gallery: every cut at three strengths, what it costs and what it loses, and kappa beside chance.

    python benchmarks/gallery.py MODEL [--text FILE] [--out results] [--prompts 4] [--rounds 3] [--only kv]

One run of one model on the torch backend, in which every cut is an arm; its folder can be read again with
`bench report`. The table is Markdown. Which layers are dropped is decided by their redundancy on the same
prompts. The kappa gate keeps another share of the cache for every prompt; `random` deals the very same
shares out by chance, so both keep the same fraction in the mean.

Bytes are of decoding, relative to the ungated arm. Tokens/s is timed apart from the run, on its longest
prompt: every cut between two turns of the whole model, because in a run of forty arms the ungated slots may
fall into a slow minute of the machine, and every ratio with them. Joules are left to `bench sweep`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from analysis.frontier import cliff
from analysis.rows import Trade
from analysis.values import Withheld
from analysis.verdict import INACTIVE
from backends.cut import FULL, Cut
from backends.cut_keys import DROPS
from backends.torch import load as on_torch
from bench.report.readback import read_back
from bench.run import start, store
from bench.run.display.plain import PlainDisplay
from bench.studies.cuts.cut_options import Point, Points
from bench.studies.cuts.redundancy import PARTS, least, profile
from bench.studies.cuts.texts import TextChoice
from bench.studies.sweep import run as sweep_run
from bench.studies.sweep import tables as sweep_tables
from bench.studies.sweep.findings import JudgedSweep, SweptArm, loss_of
from bench.suite.models import locate
from bench.suite.prompts import load_prompts
from benchmarks.cuts import measure as timed

SUITE = """
name = "gallery"
seed = 1
backends = ["torch"]
models.full.name = "{model}"
prompts = {{ file = "{prompts}", limit = {limit} }}
generation.max_new_tokens = {new_tokens}
gates.ungated = {{}}

[protocol]
blocks = {blocks}
min_window_s = {seconds}
idle_s = 2.0
cool_down_s = 0.2
warm_up_s = 5.0
self_test_s = 0.0
"""
SHARES = (0.75, 0.5, 0.25)
DROPPED_SHARES = (0.1, 0.2, 0.3)
AGAIN = "ungated again"
KAPPA = {"kappa": {"plugin": "kappa"}, "random (as kappa)": {"plugin": "random", "matches": "kappa"}}


def families(dropped: dict[str, list[tuple[int, ...]]]) -> dict[str, list[tuple[float | None, Cut]]]:
    """Cuts by family, each with the fraction that it keeps; None where it is not a matter of fractions."""
    found: dict[str, list[tuple[float | None, Cut]]] = {}
    for policy in ("window", "sinks_window", "heavy_hitters", "snapkv", "tova"):
        found[f"kv_keep, {policy}"] = [
            (share, Cut.model_validate({"kv_keep": share, "kv_policy": policy})) for share in SHARES
        ]
    found["kv_keep, tova, bounded"] = [
        (share, Cut(kv_keep=share, kv_policy="tova", kv_bounded=True)) for share in SHARES
    ]
    found["kv_bits, keys and values"] = [
        (None, Cut(kv_bits_k=keys, kv_bits_v=values)) for keys, values in ((8, 8), (8, 4), (4, 4))
    ]
    found["kv_direct, variant"] = [
        (None, Cut.model_validate({"kv_direct": variant, "kv_hot": 8})) for variant in ("h0", "layers")
    ]
    for policy in ("first", "random", "largest_norm"):
        found[f"mlp_keep, {policy}"] = [
            (share, Cut.model_validate({"mlp_keep": share, "mlp_policy": policy})) for share in SHARES
        ]
    for key, lists in dropped.items():
        found[key] = [
            (1 - share, Cut.model_validate({key: layers}))
            for share, layers in zip(DROPPED_SHARES, lists, strict=True)
        ]
    found["weight_bits"] = [(bits / 32, Cut(weight_bits=bits)) for bits in (16, 8, 4)]
    found["lookup, tokens"] = [(None, Cut(lookup=True, lookup_tokens=count)) for count in (4, 10, 20)]
    found["copyspec, tokens"] = [
        (None, Cut(lookup=True, lookup_rule="copyspec", lookup_tokens=count)) for count in (4, 10, 20)
    ]
    return found


def label_of(family: str, kept: float | None, cut: Cut) -> str:
    """`kv_keep 0.5, window`, `drop_mlp 3 of the least`, `weight_bits 8`."""
    if family in DROPS:
        return f"{family}, the {len(getattr(cut, family))} least"
    if family == "weight_bits":
        return f"weight_bits {cut.weight_bits}"
    name, _, policy = family.partition(", ")
    if name == "kv_bits":
        return f"kv_bits, keys {cut.kv_bits_k}, values {cut.kv_bits_v}"
    if name == "kv_direct":
        return f"kv_direct {cut.kv_direct}, kv_hot {cut.kv_hot}"
    return f"{name} {kept:g}, {policy}" if kept is not None else f"{name}, {cut.lookup_tokens} tokens"


def layers_to_drop(model: str, prompts: str, limit: int) -> dict[str, list[tuple[int, ...]]]:
    """The layers with the smallest change, a tenth to three tenths of them."""
    here = locate(model)
    if here is None:
        sys.exit(f"the model {model!r} is not here; run: bench models fetch {model}")
    found = profile(
        here,
        backend="torch",
        options={},
        calibration=load_prompts(prompts, beside=Path(), limit=limit),
        most_pieces=limit,
        progress=lambda _: None,
    )
    counts = [max(1, round(share * len(found.layers))) for share in DROPPED_SHARES]
    return {
        drop: [least(found, part, count) for count in counts] for part, drop in zip(PARTS, DROPS, strict=True)
    }


def measure(
    options: argparse.Namespace, points: tuple[Point, ...], console: Console
) -> tuple[JudgedSweep, Path]:
    """Run all arms and judge them."""
    text = SUITE.format(
        model=options.model,
        prompts=options.prompt_set,
        limit=options.prompts,
        new_tokens=options.new_tokens,
        blocks=options.blocks,
        seconds=options.seconds,
    )
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "gallery.toml"
        file.write_text(text, encoding="utf-8")
        request = sweep_run.SweepRequest(
            suite=str(file),
            points=Points(swept=(), points=points),
            reading=TextChoice(
                text=options.text,
                window=options.window,
                stride=options.window // 2,
                windows=options.windows,
            ),
        )
        gates: dict[str, Any] = sweep_run.point_gates(sweep_run.suite_of(request), points)
        prepared, header = sweep_run.as_suite(request, {**gates, **KAPPA})
        meter = start.choose_meter(header)
        job = sweep_run.Job(prepared=prepared, header=header, meter=meter, resume=None)
        folder = sweep_run.run(job, out=options.out, display=PlainDisplay(console))
        judged = sweep_run.judge(folder, progress=lambda _: None)
    return judged, folder


def mean_kept(folder: Path, gate: str) -> float:
    """Mean share of the cache that a gate kept on the prompts."""
    requests = [r for s in read_back(store.read(folder)).slots if s.gate == gate for r in s.answers]
    kept = {r.prompt_id: Cut.model_validate(r.cut).kv_keep for r in requests}
    return sum(kept.values()) / len(kept)


def cliff_of(arms: Sequence[tuple[float | None, SweptArm]]) -> str:
    """The cliff of one family, in a word or two."""
    trades = [
        Trade(label=arm.row.gate, strength=kept, cost=0, loss=loss, inactive=arm.outcome == INACTIVE)
        for kept, arm in arms
        if kept is not None and (loss := loss_of(arm)) is not None
    ]
    if not trades:
        return "-"
    found = cliff([Trade(label="ungated", strength=1.0, cost=0, loss=1.0), *trades])
    if isinstance(found, Withheld):
        return INACTIVE if found.reason.startswith(INACTIVE) else f"below {min(t.strength for t in trades):g}"
    return f"{found:.3g}"


def speed_ratios(model: str, cuts: dict[str, Cut], options: argparse.Namespace) -> dict[str, float]:
    """Tokens per second with each cut over those without, by label: the median of the rounds."""
    here = locate(model)
    if here is None or here.folder is None:
        sys.exit(f"the model {model!r} is not here; run: bench models fetch {model}")
    backend = on_torch.load(folder=here.folder)
    prompts = load_prompts(options.prompt_set, beside=Path(), limit=options.prompts).prompts
    ids = max((backend.encode(prompt.text) for prompt in prompts), key=len)
    savings = timed(backend, ids, cuts, new_tokens=options.new_tokens, rounds=options.rounds)
    backend.close()
    return {saving.name: 1 / median(saving.time_ratios) for saving in savings}


def risen(rise: float) -> str:
    """A rise of perplexity in per cent; tenfold and more as a factor."""
    return f"{rise:+.1%}" if rise < 10 else f"{rise + 1:,.0f} times"


def in_form(value: float | None, form: str) -> str:
    """A figure, or a dash where it was not measured."""
    return "-" if value is None else form.format(value)


def row(arm: SweptArm, cliff_cell: str, *, speed: float | None, name: str | None = None) -> str:
    """One line of the Markdown table."""
    name = name or arm.row.gate
    if arm.outcome == INACTIVE:
        return f"| {name} | {INACTIVE}: {arm.reason} | | | | | {cliff_cell} |"
    answers, text = arm.answers, arm.text
    cells = (
        in_form(speed, "{:.2f}"),
        in_form(arm.bytes_ratio, "{:.3f}"),
        in_form(answers.kl.mean if answers and answers.kl else None, "{:.3g}"),
        in_form(answers.agreement.mean if answers and answers.agreement else None, "{:.0%}"),
        risen(text.rise.mean) if text else "-",
        cliff_cell,
    )
    return f"| {name} | {' | '.join(cells)} |"


def table(
    judged: JudgedSweep,
    named: dict[str, list[tuple[float | None, str]]],
    speeds: dict[str, float],
    folder: Path,
) -> list[str]:
    """The gallery in Markdown."""
    arms = {arm.row.gate: arm for arm in judged.arms if not arm.row.a_a}
    lines = [
        "| cut | tokens/s | bytes | KL, nats | agreement | perplexity | cliff |",
        "|---|---|---|---|---|---|---|",
    ]
    for members in named.values():
        known = [(kept, arms[label]) for kept, label in members if label in arms]
        where = cliff_of(known)
        lines += [row(arm, where, speed=speeds.get(arm.row.gate)) for _, arm in known]
    for gate in KAPPA:
        name = f"{gate}, mean kv_keep {mean_kept(folder, gate):.3f}"
        lines.append(row(arms[gate], "-", speed=None, name=name))
    lines.append(f"\nungated against itself: tokens/s {speeds[AGAIN]:.2f}")
    return lines


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--text", help="file, or wikitext-2; default: the words of the prompts")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--prompt-set", default="mixed")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slot")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every cut for tokens/s")
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--only", default="", help="only families whose name contains this")
    options = parser.parse_args()
    console = Console(stderr=True)
    dropped = layers_to_drop(options.model, options.prompt_set, options.prompts)
    chosen = {family: cuts for family, cuts in families(dropped).items() if options.only in family}
    named = {
        family: [(kept, label_of(family, kept, cut)) for kept, cut in cuts] for family, cuts in chosen.items()
    }
    points = tuple(
        Point(label=label_of(family, kept, cut), cut=cut)
        for family, cuts in chosen.items()
        for kept, cut in cuts
    )
    judged, folder = measure(options, points, console)
    sweep_tables.write(replace(judged, swept=()), folder)
    cuts = {point.label: point.cut for point in points}
    speeds = speed_ratios(options.model, {AGAIN: FULL, **cuts}, options)
    print("\n".join(table(judged, named, speeds, folder)))


if __name__ == "__main__":
    main()
