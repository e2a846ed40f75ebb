"""A saving is split into fewer tokens, cheaper tokens and fixed cost from the joules of single prompts."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.costs import Split
from analysis.values import Withheld
from bench.report.arm_tables import split_table, withheld_splits
from bench.report.readback import Readback
from bench.report.slots import Idle
from bench.report.split import ArmSplit, splits
from bench.report.summary import Summary
from bench.run.joules import Readings, Sources
from bench.run.observed import Joules
from bench.run.records import RequestRecord, SlotRecord
from bench.run.store import StoredRun
from bench.show import table as show_table
from energy.base import SourceInfo, Trace
from tests.bench.report.slots import slot_read
from tests.bench.stored import run_header

UNGATED, GATED = ("torch", "ungated", False), ("torch", "gate", False)
PRICES = {"full": (2.0, 0.01, 0.5), "small": (0.4, 0.002, 0.1)}
"""Joules per request, per prompt token and per new token."""
READING_S = 0.1
PROMPTS = {"a": (10, 8), "b": (200, 4), "c": (60, 16), "d": (400, 10)}
"""Prompt tokens and new tokens of the full model."""
SMALL = {"b": 1, "c": 2, "d": 4}
"""New tokens of the small model, to which the gate sends these."""


def request(prompt: str, place: dict[str, Any], start_s: float, *, fixed_tokens: bool) -> RequestRecord:
    is_small = place["gate"] == "gate" and prompt in SMALL
    tokens = 6 if fixed_tokens else SMALL[prompt] if is_small else PROMPTS[prompt][1]
    return RequestRecord(
        **place,
        pass_number=1,
        prompt_id=prompt,
        model="small" if is_small else "full",
        prompt_tokens=PROMPTS[prompt][0],
        tokens=[1] * tokens,
        forwards=tokens - 1,
        start_s=start_s,
        gated_s=start_s,
        prefilled_s=start_s + 0.5,
        end_s=start_s + 2.0,
    )


def joules_of(one: RequestRecord) -> float:
    fixed, per_prompt, per_new = PRICES[one.model]
    return fixed + per_prompt * one.prompt_tokens + per_new * len(one.tokens)


def readback(*, blocks: int = 3, fixed_tokens: bool = False, gap: bool = False) -> Readback:
    """Slots in which every request lasts two seconds at the power that its price says."""
    now_s, watts, slots = 1.0, [0.0] * 10, []
    for block in range(1, blocks + 1):
        for position, arm in enumerate((UNGATED, GATED, GATED, UNGATED)):
            start_s, requests = now_s, []
            names = dict(zip(("backend", "gate", "a_a"), arm, strict=True))
            place = {"session": 1, "block": block, "position": position, **names}
            for prompt in PROMPTS:
                one = request(prompt, place, now_s, fixed_tokens=fixed_tokens)
                requests.append(one)
                watts += [joules_of(one) / 2.0] * 20
                now_s += 2.0
            window: dict[str, Any] = {"start_s": start_s, "end_s": now_s, "joules": known(1.0)}
            slots.append(slot_read(SlotRecord(**place, passes=1, **window), requests))
    end_s = np.arange(1, len(watts) + 1) * READING_S
    joules = np.array(watts)[:, None] * READING_S
    if gap:
        joules[200] = np.nan
    info = SourceInfo(
        name="m",
        kind="simulated",
        rails=("cpu",),
        boundary="package",
        interval_s=READING_S,
        resolution_j=0.0,
    )
    sources = {1: Sources(Readings(Trace(("cpu",), end_s - READING_S, end_s, joules, 0.0), info))}
    run = StoredRun(folder=Path(), header=run_header(), records=[])
    counts = {"whole_blocks": blocks, "cut_blocks": 0}
    return Readback(run=run, slots=slots, void=[], sources=sources, idle=Idle([]), **counts)


def known(total_j: float) -> Joules:
    return Joules(
        total_j=total_j,
        bound_j=0.0,
        rails_j={},
        readings=80,
        kind="simulated",
        boundary="package",
        grade=0,
        grade_name="simulated",
        grade_reasons=[],
    )


def split(run: Readback) -> ArmSplit | Withheld:
    return splits(run, {GATED})[GATED]


def found(**changes: Any) -> ArmSplit:
    one = split(readback(**changes))
    assert isinstance(one, ArmSplit), one
    return one


def test_the_parts_are_what_the_prices_say_and_add_up() -> None:
    shares: Split = found().split
    full, small = PRICES["full"], PRICES["small"]
    assert shares.fewer_new_tokens_j.point == pytest.approx((38 - 15) * full[2], rel=0.01)
    assert shares.cheaper_new_tokens_j.point == pytest.approx(7 * (full[2] - small[2]), rel=0.01)
    assert shares.cheaper_prompt_tokens_j.point == pytest.approx(660 * (full[1] - small[1]), rel=0.01)
    assert shares.fixed_cost_j.point == pytest.approx(3 * (full[0] - small[0]), rel=0.01)
    assert shares.fewer_prompt_tokens_j.point == pytest.approx(0, abs=1e-6)
    parts = ("fewer_new_tokens", "fewer_prompt_tokens", "cheaper_new_tokens", "cheaper_prompt_tokens")
    total_j = sum(getattr(shares, f"{part}_j").point for part in parts) + shares.fixed_cost_j.point
    slots = readback().slots[:2]
    saved_j = sum(map(joules_of, slots[0].answers)) - sum(map(joules_of, slots[1].answers))
    assert shares.saved_j.point == pytest.approx(total_j) == pytest.approx(saved_j, rel=0.01)


def test_it_says_what_the_joules_are_and_how_many_windows_it_rests_on() -> None:
    one = found()
    assert (one.kind, one.arm) == ("simulated", GATED)
    assert one.windows == 3 * (4 + 4)
    assert one.r2 == pytest.approx(1.0, abs=1e-3)


def test_equal_numbers_of_new_tokens_do_not_tell_a_fixed_cost_from_a_cost_per_token() -> None:
    one = split(readback(fixed_tokens=True))
    assert isinstance(one, Withheld)
    assert "too few mixes" in one.reason


def test_a_missing_rail_withholds_it() -> None:
    one = split(readback(gap=True))
    assert isinstance(one, Withheld)
    assert "without joules" in one.reason


def test_prompts_of_too_few_readings_are_left_out() -> None:
    run = readback()
    for slot in run.slots:
        slot.answers[:] = [replace(one, end_s=one.start_s + 0.05) for one in slot.answers]
    one = split(run)
    assert isinstance(one, Withheld)
    assert "5 readings" in one.reason


@pytest.mark.parametrize("request_s", [0.041, 0.082, 0.2, 0.517])
def test_it_is_shown_only_where_requests_are_long_beside_a_reading(request_s: float) -> None:
    """The same power in steps of a request's length, read every 100 ms whatever runs."""
    run = repeated(request_s)
    one = split(run)
    if request_s < 0.5:
        assert isinstance(one, Withheld)
        assert "5 readings" in one.reason
        return
    assert isinstance(one, ArmSplit), one
    full, small = PRICES["full"], PRICES["small"]
    part = one.split.cheaper_prompt_tokens_j
    assert part.low <= 660 * (full[1] - small[1]) <= part.high
    assert part.point == pytest.approx(660 * (full[1] - small[1]), rel=0.15)


def repeated(request_s: float) -> Readback:
    """Slots that ask each prompt 60 times over; a request draws what its price says, evenly."""
    now_s, edges_s, used_j, slots = 1.0, [0.0, 1.0], [0.0, 0.0], []
    for block in range(1, 4):
        for position, arm in enumerate((UNGATED, GATED, GATED, UNGATED)):
            start_s, requests = now_s, []
            names = dict(zip(("backend", "gate", "a_a"), arm, strict=True))
            place = {"session": 1, "block": block, "position": position, **names}
            for prompt in 60 * list(PROMPTS):
                one = request(prompt, place, now_s, fixed_tokens=False)
                now_s += request_s
                requests.append(replace(one, prefilled_s=now_s, end_s=now_s))
                edges_s.append(now_s)
                used_j.append(used_j[-1] + joules_of(one))
            window: dict[str, Any] = {"start_s": start_s, "end_s": now_s, "joules": known(1.0)}
            slots.append(slot_read(SlotRecord(**place, passes=60, **window), requests))
    end_s = np.arange(1, int(now_s / READING_S) + 3) * READING_S
    joules = np.diff(np.interp(np.append(0.0, end_s), edges_s, used_j))[:, None]
    whole = readback()
    lead = replace(whole.sources[1].lead, trace=Trace(("cpu",), end_s - READING_S, end_s, joules, 0.0))
    return replace(whole, slots=slots, sources={1: Sources(lead)})


def test_every_arm_but_the_ungated_ones_is_split() -> None:
    assert set(splits(readback(), {UNGATED, GATED})) == {GATED}
    assert splits(readback(), {UNGATED}) == {}


def summary() -> Summary:
    splits = {GATED: found(), ("torch", "other", False): Withheld("too short")}
    return Summary(rows=[], cautions=[], splits=splits)


def test_the_table_shows_parts_with_intervals_and_says_that_joules_are_simulated() -> None:
    console = Console(width=140, file=io.StringIO(), record=True)
    shown = split_table(summary())
    assert shown is not None
    show_table.show([shown], console)
    text = console.export_text()
    assert "simulated, NOT a measurement" in text
    assert "+11.5" in text
    assert " to " in text


def test_an_arm_whose_saving_can_not_be_split_is_named_with_the_reason() -> None:
    assert withheld_splits(summary()) == [("torch other", "too short")]
