"""The order of slots."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.suite.plan import Arm, make_arms, make_blocks


def letters(count: int, blocks: int, seed: int = 0) -> list[str]:
    arms = [Arm(backend="torch", gate=chr(ord("A") + i)) for i in range(count)]
    return ["".join(slot.arm.gate for slot in block) for block in make_blocks(arms, count=blocks, seed=seed)]


def test_two_arms_are_abba_then_baab() -> None:
    assert letters(2, 2) in (["ABBA", "BAAB"], ["BAAB", "ABBA"])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7])
def test_every_block_has_every_arm_twice_with_the_same_mean_position(count: int) -> None:
    for block in letters(count, 7):
        places: dict[str, int] = {}
        for position, arm in enumerate(block):
            places[arm] = places.get(arm, 0) + position
        assert set(Counter(block).values()) == {2}
        assert len(set(places.values())) == 1


@pytest.mark.parametrize("count", [3, 4, 6])
def test_over_a_full_square_every_arm_takes_every_place(count: int) -> None:
    rows = [block[:count] for block in letters(count, count)]
    assert all(len({row[place] for row in rows}) == count for place in range(count))


@pytest.mark.parametrize("count", [4, 6])
def test_over_a_full_square_every_arm_follows_every_other_equally_often(count: int) -> None:
    rows = [block[:count] for block in letters(count, count)]
    follows = Counter(row[i : i + 2] for row in rows for i in range(count - 1))
    assert len(follows) == count * (count - 1)
    assert set(follows.values()) == {1}


def test_the_seed_decides_the_start_and_nothing_else_does() -> None:
    assert letters(5, 3, seed=4) == letters(5, 3, seed=4)
    assert len({letters(5, 1, seed=seed)[0] for seed in range(20)}) > 5


def test_each_backend_gets_its_own_a_a_arm() -> None:
    arms = make_arms(["torch", "mlx"], ["ungated", "random"], baseline="ungated", a_a=True)
    assert [arm.label for arm in arms] == [
        "torch",
        "torch random",
        "torch (A/A)",
        "mlx",
        "mlx random",
        "mlx (A/A)",
    ]
    assert len(make_arms(["torch"], ["ungated"], baseline="ungated", a_a=False)) == 1
