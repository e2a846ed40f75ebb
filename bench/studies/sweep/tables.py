"""A sweep's tables, its CSV and JSON, and its one figure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.quality import Mean
from analysis.values import Estimate
from analysis.verdict import INACTIVE
from bench.show.files import csv_text, together
from bench.show.plots import COLOURS, MARKERS, new_figure, save
from bench.show.words import kind_label
from bench.studies.cuts.options import strength
from bench.studies.sweep.findings import SECONDS, Cliff, JudgedSweep, SweptArm, cost_of, loss_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write(judged: JudgedSweep, run: Path) -> Path:
    """Write `sweep.csv`, `sweep.json` and the figure into RUN/sweep; each file appears whole or not at all.

    Raises:
        UserError: it can't be written.
    """
    with together(run / "sweep", instead="the run itself is kept") as staging:
        (staging / "sweep.csv").write_text(to_csv(judged), encoding="utf-8")
        (staging / "sweep.json").write_text(json.dumps(to_json(judged), indent=2) + "\n", encoding="utf-8")
        draw(judged, staging)
    return run / "sweep"


def show(judged: JudgedSweep, console: Console) -> None:
    """Print what each point costs, what it loses, the cliffs, and what could overturn the figures."""
    console.print(_cost_table(judged))
    console.print(_quality_table(judged))
    for arm in judged.arms:
        if arm.outcome == INACTIVE:
            line = f"! {arm.row.backend} {arm.row.gate}: {INACTIVE}, {arm.reason}"
            console.print(line, markup=False, highlight=False)
    for line in [*map(cliff_line, judged.cliffs), *(f"! {warning}" for warning in judged.warnings)]:
        console.print(line, markup=False, highlight=False)


def to_csv(judged: JudgedSweep) -> str:
    """One line per arm; what was not measured is empty."""
    rows = [_flat(arm) for arm in judged.arms]
    return csv_text(list(rows[0]), rows)


def to_json(judged: JudgedSweep) -> dict[str, Any]:
    """Everything, with every interval and every reason for the lack of one."""
    arms = [
        {
            **{key: getattr(arm, key) for key in ("outcome", "reason", "tokens_per_s", "bytes_per_token")},
            **{key: getattr(arm, key) for key in ("tokens_per_s_ratio", "bytes_ratio", "pareto")},
            "cut": None if arm.cut is None else arm.cut.model_dump(mode="json", exclude_defaults=True),
            "run": asdict(arm.row),
            "answers": asdict(arm.answers) if arm.answers else None,
            "text": asdict(arm.text) if arm.text else None,
        }
        for arm in judged.arms
    ]
    keys = ("run", "suite", "swept", "text_name", "cost", "layers", "warnings")
    named = {key: getattr(judged, key) for key in keys}
    return {**named, "cliffs": [asdict(one) for one in judged.cliffs], "arms": arms}


def cliff_line(cliff: Cliff) -> str:
    """The cliff in words."""
    along = f"{cliff.backend}, along {cliff.key}" + (f" at {cliff.beside}" if cliff.beside else "")
    if cliff.strength is None:
        return f"cliff: none ({along}): {cliff.reason}"
    return f"cliff: {cliff.strength:.3g} ({along}): the largest kept fraction with perplexity up by over 1 %"


def draw(judged: JudgedSweep, folder: Path) -> list[Path]:
    """Write `sweep.svg` and `sweep.png`: cost against quality, and quality along the first swept cut."""
    kinds = kind_label(arm.row.energy_kind for arm in judged.arms)
    panels = len(judged.swept[:1]) + 1
    figure, [against, *along] = new_figure(
        panels, title=f"{judged.suite}, {judged.text_name} (joules {kinds})"
    )
    _draw_against(judged, against)
    for axes, key in zip(along, judged.swept[:1], strict=True):
        _draw_along(judged, axes, key)
    return save(figure, folder, "sweep")


def _draw_along(judged: JudgedSweep, axes: Axes, key: str) -> None:
    lines: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for arm in judged.arms:
        loss = loss_of(arm)
        if arm.cut is None or arm.row.a_a or loss is None or arm.outcome == INACTIVE:
            continue
        kept = strength(arm.cut, key, layers=judged.layers, loaded_bits=judged.loaded_bits)
        rest = " ".join(f"{k}={v}" for k, v in arm.cut.without(key).model_dump(exclude_defaults=True).items())
        if kept is not None:
            lines.setdefault((arm.row.backend, rest), []).append((kept, 100 * (loss - 1)))
    for number, ((backend, rest), points) in enumerate(lines.items()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        kept_shares, rises = zip(*sorted(points), strict=True)
        axes.plot(kept_shares, rises, color=colour, marker=marker, label=f"{backend} {rest}".strip())
    axes.axhline(1, color="0.5", linestyle="--", linewidth=1, label="1 %: the cliff")
    axes.set(xlabel=f"{key}: fraction kept", ylabel="rise of perplexity, %")
    axes.set_yscale("symlog", linthresh=1)
    axes.legend(fontsize=7)


def _draw_against(judged: JudgedSweep, axes: Axes) -> None:
    in_joules = judged.cost != SECONDS
    for number, backend in enumerate(dict.fromkeys(arm.row.backend for arm in judged.arms)):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        mine = [arm for arm in judged.arms if arm.row.backend == backend and not arm.row.a_a]
        for best in (True, False):
            places = [
                _place(arm, in_joules) for arm in mine if arm.pareto == best and arm.outcome != INACTIVE
            ]
            known = [place for place in places if place is not None]
            label = f"{backend}, Pareto set" if best else f"{backend}, other points"
            if known:
                face = colour if best else "none"
                axes.scatter(
                    *zip(*known, strict=True), edgecolors=colour, facecolors=face, marker=marker, label=label
                )
    axes.set(xlabel=judged.cost, ylabel="rise of perplexity, %")
    axes.set_yscale("symlog", linthresh=1)
    axes.legend(fontsize=7)


def _place(arm: SweptArm, in_joules: bool) -> tuple[float, float] | None:
    cost, loss = cost_of(arm, in_joules=in_joules), loss_of(arm)
    return None if cost is None or loss is None else (cost, 100 * (loss - 1))


def _cost_table(judged: JudgedSweep) -> Table:
    table = _table(f"Cost; joules {kind_label(arm.row.energy_kind for arm in judged.arms)}")
    for name in ("tok/s", "ratio", "MB/token", "ratio", "J/new token", "J saved", "A/A floor", "blocks"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for arm in judged.arms:
        row = arm.row
        table.add_row(
            _name(arm),
            number(arm.tokens_per_s, "{:.1f}"),
            number(arm.tokens_per_s_ratio, "{:.2f}"),
            number(None if arm.bytes_per_token is None else arm.bytes_per_token / 1e6, "{:.0f}"),
            number(arm.bytes_ratio, "{:.3f}"),
            _joules(arm),
            number(row.joules_saved_percent, "{:+.1f} %"),
            number(row.noise_floor_percent, "{:.1f} %"),
            str(row.blocks) if row.blocks else "-",
            row.verdict or "-",
        )
    return table


def _quality_table(judged: JudgedSweep) -> Table:
    table = _table(f"Quality against the ungated arm; perplexity over {judged.text_name}")
    for name in ("perplexity", "rise", "KL", "top-1", "agreement", "same until", "score"):
        table.add_column(name, justify="right")
    table.add_column("Pareto")
    for arm in judged.arms:
        if arm.row.a_a:
            continue
        cells = _ungated_cells(judged, arm) if arm.outcome == "ungated" else _quality_cells(arm)
        table.add_row(_name(arm), *cells, "yes" if arm.pareto else "")
    return table


def _ungated_cells(judged: JudgedSweep, arm: SweptArm) -> Sequence[str]:
    """The ungated perplexity, which every other arm of the backend was compared with."""
    texts = [other.text for other in judged.arms if other.row.backend == arm.row.backend and other.text]
    return (with_interval(texts[0].ungated if texts else None, "{:.2f}"), *("-",) * 6)


def _quality_cells(arm: SweptArm) -> Sequence[str]:
    if arm.outcome == INACTIVE:
        return (INACTIVE, *("-",) * 6)
    answers, text = arm.answers, arm.text
    return (
        with_interval(text.gated if text else None, "{:.2f}"),
        with_interval(text.rise if text else None, "{:+.1%}"),
        with_interval(answers.kl if answers else None, "{:.3g}"),
        with_interval(answers.top1 if answers else None, "{:.0%}"),
        with_interval(answers.agreement if answers else None, "{:.0%}"),
        with_interval(answers.first_divergence if answers else None, "{:.1f}"),
        with_interval(answers.score if answers else None, "{:.0%}"),
    )


def with_interval(mean: Mean | None, form: str) -> str:
    """A mean with its interval below it; where it has none, the figure alone."""
    if mean is None:
        return "-"
    if not isinstance(mean.interval, Estimate):
        return form.format(mean.mean)
    return (
        f"{form.format(mean.mean)}\n({form.format(mean.interval.low)} to {form.format(mean.interval.high)})"
    )


def number(value: float | None, form: str) -> str:
    """A figure, or a dash where it was not measured."""
    return "-" if value is None else form.format(value)


def _joules(arm: SweptArm) -> str:
    row = arm.row
    if row.joules_per_new_token is None or row.joules_bound is None:
        return "withheld"
    return f"{row.joules_per_new_token:.3f} ±{row.joules_bound / row.new_tokens:.3f}"


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", no_wrap=True)
    return table


def _name(arm: SweptArm) -> str:
    return escape(f"{arm.row.backend} {arm.row.gate}") + (" (A/A)" if arm.row.a_a else "")


def _flat(arm: SweptArm) -> dict[str, Any]:
    row, answers, text = arm.row, arm.answers, arm.text
    figures: Iterable[tuple[str, Mean | None]] = (
        ("perplexity", text.gated if text else None),
        ("perplexity_ungated", text.ungated if text else None),
        ("perplexity_rise", text.rise if text else None),
        ("kl_nats", answers.kl if answers else None),
        ("top1", answers.top1 if answers else None),
        ("agreement", answers.agreement if answers else None),
        ("first_divergence_tokens", answers.first_divergence if answers else None),
        ("score", answers.score if answers else None),
        ("score_ungated", answers.ungated_score if answers else None),
    )
    keys = ("tokens_per_s", "tokens_per_s_ratio", "bytes_per_token", "bytes_ratio")
    flat: dict[str, Any] = {
        **{key: getattr(row, key) for key in ("backend", "gate", "a_a")},
        "cut": "" if arm.cut is None else json.dumps(arm.cut.model_dump(mode="json", exclude_defaults=True)),
        "outcome": arm.outcome,
        **{key: getattr(arm, key) for key in keys},
        "joules_per_new_token": row.joules_per_new_token,
        **{
            key: getattr(row, key)
            for key in ("joules_gross", "joules_bound", "energy_kind", "boundary", "grade")
        },
        **{
            key: getattr(row, key)
            for key in ("joules_saved_percent", "noise_floor_percent", "blocks", "verdict")
        },
        "pareto": arm.pareto,
    }
    for name, mean in figures:
        interval = mean.interval if mean and isinstance(mean.interval, Estimate) else None
        flat |= {name: mean.mean if mean else None}
        flat |= {f"{name}_low": interval.low if interval else None}
        flat |= {f"{name}_high": interval.high if interval else None}
    return flat
