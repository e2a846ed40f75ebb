from collections.abc import Sequence

import pytest

from backends.loop import greedy, is_stop_check


class Counter:
    """Tokens 1, 2, 3, ...; remembers what was fetched and when."""

    def __init__(self) -> None:
        self.fetched: list[list[int]] = []

    def step(self, token: int) -> int:
        return token + 1

    def fetch(self, tokens: Sequence[int]) -> list[int]:
        self.fetched.append(list(tokens))
        return list(tokens)


def test_without_an_end_tokens_are_fetched_once():
    counter = Counter()
    generated = greedy(1, counter.step, counter.fetch, max_new_tokens=9, eos_ids=frozenset())
    assert generated.tokens == list(range(1, 10))
    assert generated.forwards == 8
    assert counter.fetched == [generated.tokens]


def test_each_token_is_looked_at_once_before_the_end():
    counter = Counter()
    greedy(1, counter.step, counter.fetch, max_new_tokens=10, eos_ids=frozenset([99]))
    assert counter.fetched[:-1] == [[1], [2], [3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(("end", "forwards"), [(1, 0), (2, 1), (3, 3), (5, 7), (9, 11), (13, 13)])
def test_forwards_past_the_end_are_counted(end: int, forwards: int):
    counter = Counter()
    generated = greedy(1, counter.step, counter.fetch, max_new_tokens=14, eos_ids=frozenset([end, 99]))
    assert generated.tokens == list(range(1, end + 1))
    assert generated.forwards == forwards


def test_looks_are_after_1_2_4_and_every_fourth():
    assert [n for n in range(1, 20) if is_stop_check(n)] == [1, 2, 4, 8, 12, 16]
