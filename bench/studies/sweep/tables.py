"""A sweep's tables, its CSV and JSON, and its one figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from analysis.quality import Mean
from analysis.values import NOT_ESTIMATED, Estimate
from analysis.verdict import INACTIVE
from bench.show import table
from bench.show.files import together
from bench.show.plots import COLOURS, MARKERS, page_figure, plain_ticks, save
from bench.show.table import Column, Table, say
from bench.show.words import kind_label, number, percent, spaced
from bench.studies.cuts.cut_options import strength
from bench.studies.sweep.findings import SECONDS, Cliff, JudgedSweep, SweptArm, answers_of, cost_of, loss_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write(judged: JudgedSweep, run: Path) -> Path:
    """Write `sweep.csv`, `sweep.json` and the figure into RUN/sweep; each file appears whole or not at all.

    Raises:
        UserError: it can't be written.
    """
    with together(run / "sweep", instead="the run itself is kept") as staging:
        (staging / "sweep.csv").write_text(to_csv(judged), encoding="utf-8")
        (staging / "sweep.json").write_text(json.dumps(to_json(judged), indent=2) + "\n", encoding="utf-8")
        kinds = kind_label(arm.row.kind for arm in judged.arms)
        heading = f"{' '.join(answers_of(judged))} {judged.suite}, {judged.text_name}, joules {kinds}"
        save(lambda: draw(judged), staging, "sweep", title=heading)
    return run / "sweep"


def show(judged: JudgedSweep, console: Console) -> None:
    """Print what each point costs, what it loses, the cliffs, and what could overturn the figures."""
    kinds = kind_label(arm.row.kind for arm in judged.arms)
    say(console, *answers_of(judged), "", style="bold")
    table.show([Table.of(_COST, judged.arms, title=f"Cost; joules {kinds}")], console)
    table.show([_quality_table(judged)], console)
    for arm in judged.arms:
        if arm.outcome == INACTIVE:
            say(console, f"! {arm.row.label}: {INACTIVE}, {arm.reason}")
    say(console, *map(cliff_line, judged.cliffs), *(f"! {warning}" for warning in judged.warnings))


def to_csv(judged: JudgedSweep) -> str:
    """One line per arm; what was not measured is empty."""
    return Table.of(_CSV, judged.arms, title="").to_csv().decode()


def to_json(judged: JudgedSweep) -> dict[str, Any]:
    """Everything, with every interval and every reason for the lack of one."""
    arms = [
        {
            **{key: getattr(arm, key) for key in ("outcome", "reason", "tokens_per_s", "bytes_per_token")},
            **{key: getattr(arm, key) for key in ("tokens_per_s_ratio", "bytes_ratio", "pareto")},
            "cut": None if arm.cut is None else arm.cut.stated,
            "run": asdict(arm.row),
            "answers": asdict(arm.answers) if arm.answers else None,
            "text": asdict(arm.text) if arm.text else None,
        }
        for arm in judged.arms
    ]
    keys = ("run", "suite", "swept", "text_name", "cost", "layers", "warnings")
    named = {"answers": answers_of(judged), **{key: getattr(judged, key) for key in keys}}
    return {**named, "cliffs": [asdict(one) for one in judged.cliffs], "configurations": arms}


def cliff_line(cliff: Cliff) -> str:
    """The cliff in words."""
    along = f"{cliff.backend}, along {cliff.key}" + (f" at {cliff.beside}" if cliff.beside else "")
    if cliff.strength is None:
        return f"cliff: none ({along}): {cliff.reason}"
    return f"cliff: {cliff.strength:.3g} ({along}): the largest kept fraction with perplexity up by over 1 %"


def draw(judged: JudgedSweep) -> Figure:
    """Cost against quality, and quality along the first swept cut."""
    figure, [[against, *along]] = page_figure(3.2, ncols=len(judged.swept[:1]) + 1)
    _draw_against(judged, against)
    for axes, key in zip(along, judged.swept[:1], strict=True):
        _draw_along(judged, axes, key)
    return figure


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
    for place, ((backend, rest), points) in enumerate(lines.items()):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        kept_shares, rises = zip(*sorted(points), strict=True)
        axes.plot(kept_shares, rises, color=colour, marker=marker, label=f"{backend} {rest}".strip())
    axes.axhline(1, color="0.5", linestyle="--", linewidth=1, label="1 %: the cliff")
    axes.set(xlabel=f"{key}: fraction kept", ylabel="rise of perplexity, %")
    axes.set_yscale("symlog", linthresh=1)
    plain_ticks(axes.yaxis)
    axes.legend()


def _draw_against(judged: JudgedSweep, axes: Axes) -> None:
    in_joules = judged.cost != SECONDS
    for place, backend in enumerate(dict.fromkeys(arm.row.backend for arm in judged.arms)):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
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
    plain_ticks(axes.yaxis)
    axes.legend()


def _place(arm: SweptArm, in_joules: bool) -> tuple[float, float] | None:
    cost, loss = cost_of(arm, in_joules=in_joules), loss_of(arm)
    return None if cost is None or loss is None else (cost, 100 * (loss - 1))


def _quality_table(judged: JudgedSweep) -> Table:
    """The ungated arm of each backend has the perplexity which every other arm was compared with."""
    ungated = {arm.row.backend: arm.text.ungated for arm in judged.arms if arm.text}

    def gated(arm: SweptArm) -> str | None:
        if arm.outcome == INACTIVE:
            return INACTIVE
        if arm.outcome == "ungated":
            return with_interval(ungated.get(arm.row.backend), "{:.2f}")
        return with_interval(arm.text.gated if arm.text else None, "{:.2f}")

    scored = {arm.text.tokens for arm in judged.arms if arm.text}
    tokens = f", {' to '.join(f'{n:,}' for n in sorted({min(scored), max(scored)}))} tokens" if scored else ""
    said = f"Quality against the baseline; perplexity over {judged.text_name}{tokens}"
    columns = (_COST[0], Column("perplexity", gated), *_QUALITY)
    return Table.of(columns, [arm for arm in judged.arms if not arm.row.a_a], title=said)


def with_interval(mean: Mean | None, form: str) -> str | None:
    """A mean with its interval below it; where it has none, the figure alone."""
    if mean is None:
        return None
    point, interval = spaced(form, mean.mean), mean.interval
    if not isinstance(interval, Estimate):
        return point
    return f"{point}\n({spaced(form, interval.low)} to {spaced(form, interval.high)})"


def _joules(arm: SweptArm) -> str:
    row = arm.row
    if row.joules_per_token is None or row.bound_per_repeat_j is None:
        return NOT_ESTIMATED
    return f"{row.joules_per_token:.3f} ±{row.bound_per_repeat_j / row.generated_tokens_per_repeat:.3f}"


def _name(arm: SweptArm) -> str:
    return arm.row.label


def _megabytes(arm: SweptArm) -> str | None:
    return number(None if arm.bytes_per_token is None else arm.bytes_per_token / 1e6, 0)


def _of_answers(name: str, form: str) -> Callable[[SweptArm], str | None]:
    def cell(arm: SweptArm) -> str | None:
        known = arm.answers if arm.outcome != INACTIVE else None
        return with_interval(getattr(known, name) if known else None, form)

    return cell


def _rise(arm: SweptArm) -> str | None:
    known = arm.text if arm.outcome not in (INACTIVE, "ungated") else None
    return with_interval(known.rise if known else None, "{:+.1%}")


_COST: tuple[Column[SweptArm], ...] = (
    Column("configuration", _name),
    Column("tok/s", lambda arm: number(arm.tokens_per_s, 1)),
    Column("ratio", lambda arm: number(arm.tokens_per_s_ratio, 2), is_under=True),
    Column("MB/token", _megabytes),
    Column("ratio", lambda arm: number(arm.bytes_ratio, 3), is_under=True),
    Column("J/token", _joules),
    Column("J saved", lambda arm: percent(arm.row.joules_saved_percent, signed=True)),
    Column("noise", lambda arm: percent(arm.row.noise_percent)),
    Column("blocks", lambda arm: arm.row.blocks or None),
    Column("verdict", lambda arm: arm.row.verdict or None, is_text=True),
)
_QUALITY: tuple[Column[SweptArm], ...] = (
    Column("rise", _rise, is_under=True),
    Column("KL", _of_answers("kl", "{:.3g}")),
    Column("top-1", _of_answers("top1", "{:.0%}"), is_under=True),
    Column("token match", _of_answers("agreement", "{:.0%}")),
    Column("score", _of_answers("score", "{:.0%}"), is_under=True),
    Column("same until", _of_answers("first_divergence", "{:.1f}")),
    Column("Pareto", lambda arm: "yes" if arm.pareto else None),
)


def _get(path: str) -> Callable[[SweptArm], Any]:
    """The value at `row.blocks`; None where something on the way is None."""

    def cell(arm: SweptArm) -> Any:
        value: Any = arm
        for name in path.split("."):
            value = getattr(value, name, None)
        return value

    return cell


def _cut(arm: SweptArm) -> str:
    return "" if arm.cut is None else json.dumps(arm.cut.stated)


def _plain_columns(*paths: str) -> tuple[Column[SweptArm], ...]:
    return tuple(Column(path.rpartition(".")[2], _get(path)) for path in paths)


def _mean_columns(name: str, path: str) -> tuple[Column[SweptArm], ...]:
    """A mean, and the ends of its interval where it has one."""
    ends = (Column(f"{name}_{end}", _get(f"{path}.interval.{end}")) for end in ("low", "high"))
    return (Column(name, _get(f"{path}.mean")), *ends)


_CSV: tuple[Column[SweptArm], ...] = (
    *_plain_columns("row.backend", "row.gate", "row.a_a"),
    Column("cut", _cut),
    *_plain_columns("outcome", "tokens_per_s", "tokens_per_s_ratio", "bytes_per_token", "bytes_ratio"),
    *_plain_columns("row.joules_per_token", "row.gross_per_repeat_j", "row.bound_per_repeat_j", "row.kind"),
    *_plain_columns("row.boundary", "row.grade", "row.joules_saved_percent", "row.noise_percent"),
    *_plain_columns("row.blocks", "row.verdict", "pareto"),
    *_mean_columns("perplexity", "text.gated"),
    *_mean_columns("perplexity_ungated", "text.ungated"),
    *_mean_columns("perplexity_rise", "text.rise"),
    *_mean_columns("kl_nats", "answers.kl"),
    *_mean_columns("top1", "answers.top1"),
    *_mean_columns("token_match", "answers.agreement"),
    *_mean_columns("first_divergence_tokens", "answers.first_divergence"),
    *_mean_columns("score", "answers.score"),
    *_mean_columns("score_ungated", "answers.ungated_score"),
)
"""The names of `sweep.csv`, which other programs read: they stay."""
