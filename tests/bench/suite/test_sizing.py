"""Minutes into blocks, windows and answers: random machines, and runs played on made-up clocks."""

from __future__ import annotations

import random

import pytest

from analysis.verdict import FEWEST_BLOCKS
from bench.suite.config import Protocol
from bench.suite.sizing import (
    BLOCKS,
    NEW_TOKENS,
    WINDOW_S,
    FirstPass,
    Pace,
    Sizes,
    blocks_in,
    shortened,
    size,
)


def machine(chance: random.Random) -> tuple[list[Pace], float, float]:
    """Paces of one to six arms, the length of an idle measurement, the shortest window."""
    reading_s = chance.choice([0.02, 0.1, 0.25, 1.0])
    token_s = 10 ** chance.uniform(-3, 0)
    paces = [
        Pace(
            fixed_s=10 ** chance.uniform(-2, 0.5),
            token_s=token_s * chance.uniform(0.3, 3),
            gap_s=chance.uniform(0.3, 2),
        )
        for _ in range(chance.randint(1, 6))
    ]
    return paces, 20 * reading_s, 12 * reading_s


def sized(
    left_s: float, paces: list[Pace], idle_s: float, least_s: float, *, prompts: int = 1, timed: int = 1
) -> Sizes:
    """For a set of prompts of one length, of which so many were timed; a pace is of one."""
    arms = [
        FirstPass(fixed_s=(pace.fixed_s,) * timed, token_s=(pace.token_s,) * timed, gap_s=pace.gap_s)
        for pace in paces
    ]
    return size(
        left_s, arms=arms, prompts=prompts, idle_s=idle_s, least_window_s=least_s, new_tokens=NEW_TOKENS
    )


def played(
    sizes: Sizes, left_s: float, paces: list[Pace], idle_s: float, *, speed: float
) -> tuple[float, int]:
    """Seconds and blocks of a run on a machine that turned out so much faster than in its first pass."""
    gone_s, blocks, done = 0.0, sizes.blocks, 0
    while done < blocks:
        for pace in (*paces, *paces):
            gone_s, window_s = gone_s + pace.gap_s, 0.0
            while window_s < sizes.window_s:
                window_s += pace.pass_s(sizes.new_tokens) / speed
            gone_s += window_s
        gone_s += idle_s
        done += 1
        blocks = blocks_in(left_s - gone_s, done=done, block_s=gone_s / done)
    return gone_s, done


def test_five_blocks_are_what_a_verdict_needs() -> None:
    assert BLOCKS[0] == FEWEST_BLOCKS


@pytest.mark.parametrize("seed", range(300))
def test_what_is_chosen_fits_or_is_the_least_and_windows_hold_enough_readings(seed: int) -> None:
    chance = random.Random(seed)
    left_s = 10 ** chance.uniform(1, 4)
    paces, idle_s, least_s = machine(chance)
    sizes = sized(left_s, paces, idle_s, least_s)
    assert sizes.window_s >= least_s
    assert sizes.new_tokens in NEW_TOKENS
    assert sizes.blocks >= BLOCKS[-1]
    if sizes.seconds_s > left_s:
        assert (sizes.blocks, sizes.new_tokens) == (BLOCKS[-1], NEW_TOKENS[-1])
        assert sizes.window_s == least_s
    if sizes.blocks < BLOCKS[0]:
        assert sizes.verdict_s > left_s
    if sizes.blocks > BLOCKS[0]:
        one_pass_s = min(pace.pass_s(sizes.new_tokens) for pace in paces)
        assert sizes.window_s + 0.1 >= WINDOW_S or one_pass_s > sizes.window_s


@pytest.mark.parametrize("seed", range(300))
def test_a_run_ends_within_a_block_of_its_time_though_the_machine_changes_its_speed(seed: int) -> None:
    chance = random.Random(seed)
    left_s = 10 ** chance.uniform(1.5, 4)
    paces, idle_s, least_s = machine(chance)
    sizes = sized(left_s, paces, idle_s, least_s)
    if sizes.seconds_s > left_s:
        return
    seconds_s, blocks = played(sizes, left_s, paces, idle_s, speed=chance.uniform(0.7, 1.5))
    block_s = seconds_s / blocks
    assert seconds_s > left_s - block_s
    if blocks > BLOCKS[-1]:
        assert seconds_s < left_s + 0.3 * block_s


@pytest.mark.parametrize("seed", range(100))
def test_a_repeat_holds_fewer_prompts_only_where_one_block_of_all_does_not_fit(seed: int) -> None:
    chance = random.Random(seed)
    left_s, prompts = 10 ** chance.uniform(0.5, 3), chance.randint(2, 9)
    paces, idle_s, least_s = machine(chance)
    sizes = sized(left_s, paces, idle_s, least_s, prompts=prompts, timed=chance.randint(1, prompts))

    def least_block_s(count: int) -> float:
        passes = [Pace(fixed_s=count * p.fixed_s, token_s=count * p.token_s, gap_s=p.gap_s) for p in paces]
        return 2 * sum(one.slot_s(least_s, NEW_TOKENS[-1]) for one in passes) + idle_s

    most = max((count for count in range(1, prompts + 1) if least_block_s(count) <= left_s), default=1)
    assert sizes.prompts == most
    assert sizes.verdict_s == pytest.approx(BLOCKS[0] * least_block_s(prompts))
    if most < prompts:
        assert sizes.blocks == BLOCKS[-1]


def test_more_time_never_means_fewer_blocks_or_shorter_answers() -> None:
    for seed in range(50):
        paces, idle_s, least_s = machine(random.Random(seed))
        plans = [sized(left_s, paces, idle_s, least_s) for left_s in (10, 30, 100, 300, 1000, 3000)]
        blocks = [plan.blocks for plan in plans]
        assert blocks == sorted(blocks)
        tokens = [plan.new_tokens for plan in plans if plan.blocks >= BLOCKS[0]]
        assert tokens == sorted(tokens)


def test_lengths_beside_the_blocks_shrink_with_the_minutes_unless_they_are_stated() -> None:
    usual = Protocol()
    assert shortened(usual) is usual
    short = shortened(Protocol(minutes=3, idle_s=7))
    assert short.idle_s == 7
    assert short.self_test_s < usual.self_test_s
    assert short.cool_down_limit_s < usual.cool_down_limit_s
    long = shortened(Protocol(minutes=600))
    assert (long.idle_s, long.self_test_s, long.warm_up_s) == (20, 5, 30)
