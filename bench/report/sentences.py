"""The sentences of an answer, each made from values alone; a verdict is never put stronger than it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.effect import FEWEST_BLOCKS
from analysis.values import NOT_ESTIMATED
from analysis.verdict import COPY, INACTIVE, more_blocks
from analysis.words import counted, listed
from bench.report.names import boundary_words, models_and_types
from bench.run.minutes import part_of_set
from bench.run.records import SessionRecord, SizedRecord
from bench.show.words import kind_label, percent_range, short_percent, significant_range

if TYPE_CHECKING:
    from analysis.checks import Caution
    from bench.report.answer import Comparison, Control, Cost
    from bench.report.arm_row import ArmRow
    from bench.report.readback import Readback
    from bench.run.store import StoredRun

TOKENS_DIFFER_PERCENT = 1.0
"""Difference in the number of generated tokens from which on it is told."""


def headline(readback: Readback, rows: Sequence[ArmRow]) -> str:
    """What was measured, how and where: `smollm2-135m float32, 6 prompts x 8 tokens, M3, powermetrics`."""
    header = readback.run.header
    sessions = readback.run.of(SessionRecord)
    loaded = {where: info for session in sessions for where, info in session.loaded.items()}
    models = listed(models_and_types(header, loaded)) or "no model"
    baseline = next((row for row in rows if row.gate == readback.baseline and row.prompts), None)
    prompts = _prompts(readback.run, baseline.prompts if baseline else 0)
    batch = (baseline.batch or 1) if baseline else 1
    each = baseline.generated_tokens_per_repeat / baseline.prompts / batch if baseline else None
    tokens = "" if each is None else f" x {'' if each == round(each) else 'about '}{each:.0f} tokens"
    tokens += f", batch {batch}" if batch > 1 and len({row.batch for row in rows}) == 1 else ""
    host = header.host
    machine = (host.chip or host.machine or "").removeprefix("Apple ")
    sources = [session.source for session in sessions]
    meters = list(dict.fromkeys(f"{one.name} ({boundary_words(one.boundary)})" for one in sources))
    return ", ".join(part for part in (models, f"{prompts}{tokens}", machine, *meters) if part)


def _prompts(run: StoredRun, seen: int) -> str:
    """`6 prompts`, or `2 of 6 prompts` where the minutes were too few; `seen` where the run does not say."""
    for sized in run.of(SizedRecord)[-1:]:
        if part := part_of_set(sized):
            return part
    return counted(len(run.header.prompts.ids) or seen, "prompt")


def strip(readback: Readback, rows: Sequence[ArmRow]) -> str | None:
    """What the joules are, where no meter read them; None where one did."""
    kinds = {row.kind for row in rows} - {"none"}
    if not rows or all(row.gross_per_repeat_j is None for row in rows):
        why = readback.why_withheld
        return f"No joules were estimated{': ' + listed(why) if why else ''}."
    if kinds == {"measured"}:
        return None
    return f"Joules are {kind_label(kinds)}: no claim can rest on them."


def noise(rows: Sequence[ArmRow]) -> str:
    """What the A/A pair of each backend says."""
    copies = [row for row in rows if row.verdict == COPY and row.noise_percent is not None]
    if not copies:
        return "Noise of this machine: not estimated (no A/A)."
    several = len(copies) > 1
    each = [f"{row.backend + ' ' if several else ''}{short_percent(row.noise_percent)}" for row in copies]
    blocks = min(row.blocks for row in copies)
    if blocks >= FEWEST_BLOCKS:
        return f"Noise of this machine (A/A, 95 %): {', '.join(each)}."
    return f"Noise of this machine (A/A): {', '.join(each)} in {counted(blocks, 'block')}; no 95 % interval."


def cost(model: str, baselines: Sequence[Cost]) -> str:
    """Such as `smollm2-135m costs 0.590 J per token on torch and 0.510 on mlx`."""
    first, *others = baselines
    also = [f"{_joules(one)} on {one.backend}" for one in others]
    each = listed([f"{_joules(first)} J per token on {first.backend}", *also])
    return f"{model} costs {each}."


def nothing(readback: Readback, rows: Sequence[ArmRow]) -> str:
    """Why there is no cost."""
    if not rows:
        return "Nothing was measured: no window of this run was completed."
    why = readback.why_withheld
    return f"What it costs is not estimated: {listed(why) or 'no block has joules of the baseline'}."


def comparison(one: Comparison) -> str:
    """What a configuration takes beside another, as far as it is known."""
    name, against = one.name, one.against
    if one.verdict == INACTIVE:
        return f"{name} changed nothing, so it has no saving to judge: {one.reason}."
    if one.verdict in ("saves", "costs"):
        return f"{name} takes {_change(one)} than {against}{_answers(one)}."
    if one.verdict == "equivalent":
        return f"{name} takes as much as {against}, within the threshold{_answers(one)}."
    if one.verdict == "not enough blocks":
        return f"{_first_look(one)}: a claim needs {FEWEST_BLOCKS} blocks."
    if one.verdict == "inconclusive":
        longer = more_blocks(one.blocks_to_settle, one.blocks)
        return f"Whether {name} takes less than {against} is open{_so_far(one)}; {longer}."
    return f"{name} and {against} are not compared: {one.reason}."


def control(one: Comparison, chance: Control) -> str:
    """What the gate's choice is worth beside one by chance."""
    said = (
        f"A random gate at its rate ({chance.name}) {_takes(chance.saved_percent)}"
        if chance.saved_percent is not None
        else f"What a random gate at its rate ({chance.name}) takes is not estimated"
    )
    return f"{said}: {_worth(one.name, chance)}."


def short_control(one: Comparison, chance: Control) -> str:
    """The same beside the comparison: `torch random takes 43 % less: the choice of ... beats chance`."""
    takes = "is not estimated" if chance.saved_percent is None else _takes(chance.saved_percent)
    return f"{chance.name} {takes}: {_worth(one.name, chance)}"


def _worth(name: str, chance: Control) -> str:
    beyond = chance.beyond_percent
    if chance.verdict == "saves" and beyond is not None:
        return f"the choice of {name} takes {short_percent(abs(beyond))} less than chance"
    if chance.verdict == "costs" and beyond is not None:
        return f"the choice of {name} takes {short_percent(abs(beyond))} more than chance"
    if chance.verdict == "equivalent":
        return f"the choice of {name} does no better than chance"
    longer = {
        "inconclusive": f"; {more_blocks(chance.blocks_to_settle, chance.blocks)}",
        "not enough blocks": f"; a claim needs {FEWEST_BLOCKS} blocks",
    }.get(chance.verdict or "", "")
    return f"whether the choice of {name} does better than chance is open{longer}"


def tokens(one: Comparison, fewer_percent: float | None) -> str | None:
    """That the answers are of other lengths, so that joules per token are not the whole of it."""
    if fewer_percent is None or abs(fewer_percent) < TOKENS_DIFFER_PERCENT:
        return None
    more = "fewer" if fewer_percent > 0 else "more"
    return (
        f"{one.name} generates {short_percent(abs(fewer_percent))} {more} tokens than {one.against}: "
        "what it saves is told for the same prompts, not for a token."
    )


def left_out(gate: Caution) -> str:
    """How many windows failed a declared gate, and which."""
    windows = counted(round(gate.value or 0), "window")
    return f"Left out of every comparison: the blocks of {windows} ({gate.subject})."


def _joules(one: Cost) -> str:
    """To the digits that stand in the table."""
    figure = significant_range(one.joules_per_token, one.low, one.high)
    return figure[0] if figure else NOT_ESTIMATED


def _takes(saved_percent: float) -> str:
    return f"takes {short_percent(abs(saved_percent))} {'less' if saved_percent >= 0 else 'more'}"


def _change(one: Comparison) -> str:
    """`14 % less`, of a comparison that has a figure."""
    saved = one.saved_percent or 0.0
    return f"{short_percent(abs(saved))} {'less' if saved >= 0 else 'more'}"


def _first_look(one: Comparison) -> str:
    if one.saved_percent is None:
        return f"{one.name} is not compared with {one.against} yet"
    return f"{one.name} takes {_change(one)} than {one.against} so far"


def _so_far(one: Comparison) -> str:
    """`; so far it takes 14 % less (95 %: 11 to 16 %)`."""
    if one.saved_percent is None:
        return ""
    interval = percent_range(one.low_percent, one.high_percent)
    return f"; so far it takes {_change(one)}{f' (saves {interval}, 95 %)' if interval else ''}"


def _answers(one: Comparison) -> str:
    """What became of the answers: `, but changes 5 of 6 answers (token match 17 %)`."""
    if one.same_answers is None:
        return "; whether the answers are the same is not known"
    changed = one.prompts - one.same_answers
    if changed <= 0:
        return ", with the same answers"
    but = "but" if one.answers_differ else "and"
    match = short_percent(one.token_match_percent)
    return f", {but} changes {changed} of {counted(one.prompts, 'answer')} (token match {match})"
