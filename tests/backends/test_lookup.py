import pytest

from backends.cut import Cut
from backends.lookup import SeenText
from backends.speculation import greedy_with_guesses

TEXT = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9]


class Recital:
    """A model that recites `TEXT` over and over; remembers what it was fed."""

    def __init__(self) -> None:
        self.cache = [0]
        self.fed: list[list[int]] = []

    def verify(self, tokens: list[int]) -> list[int]:
        self.fed.append(tokens)
        start = len(self.cache) - 1
        self.cache += tokens
        return [TEXT[(start + n + 1) % len(TEXT)] for n in range(len(tokens))]

    def drop(self, positions: int) -> None:
        self.cache = self.cache[: len(self.cache) - positions]


def recite(new_tokens: int, *, ids: list[int], eos: int | None = None, **options: object):
    model = Recital()
    generated = greedy_with_guesses(
        TEXT[0],
        model.verify,
        model.drop,
        sources=[SeenText(ids, Cut(lookup=True, **options))],
        max_new_tokens=new_tokens,
        eos_ids=frozenset() if eos is None else frozenset([eos]),
    )
    return model, generated


@pytest.mark.parametrize("ids", [[], [0], [9, 9, 9], TEXT, [1, 2, 3, 9, 1, 2, 9]])
@pytest.mark.parametrize("new_tokens", [1, 2, 9, 14, 40])
@pytest.mark.parametrize("rule", ["longest", "copyspec"])
def test_the_tokens_are_those_of_the_model(ids: list[int], new_tokens: int, rule: str):
    model, generated = recite(new_tokens, ids=ids, lookup_rule=rule)
    assert generated.tokens == [TEXT[n % len(TEXT)] for n in range(new_tokens)]
    assert generated.forwards == len(model.fed) == len(generated.drafts)
    assert new_tokens == 1 + sum(1 + right for _, right in generated.drafts)
    assert model.cache[1:] == generated.tokens[:-1], "the cache holds every token but the last, and no guess"


def test_a_repeated_text_takes_few_forwards():
    _, generated = recite(40, ids=TEXT, lookup_tokens=10)
    assert generated.forwards < 10


def test_guesses_are_limited():
    model, _ = recite(40, ids=TEXT, lookup_tokens=3)
    assert max(len(tokens) for tokens in model.fed) == 4


def test_it_ends_at_the_end():
    _, generated = recite(40, ids=TEXT, eos=8)
    assert generated.tokens == TEXT[: TEXT.index(8) + 1]


@pytest.mark.parametrize(
    ("text", "longest", "following"),
    [
        ([], 3, []),
        ([1], 3, []),
        ([1, 1], 3, [1]),
        ([1, 2, 3, 1], 3, [2, 3, 1]),
        ([5, 2, 3, 7, 2, 4, 5, 2], 2, [3, 7, 2]),
        ([5, 2, 3, 7, 2, 4, 5, 2], 1, [4, 5, 2]),
    ],
)
def test_what_followed_the_longest_run_comes_next(text: list[int], longest: int, following: list[int]):
    """And of runs of that length, the latest one."""
    assert SeenText(text, Cut(lookup_ngram=longest)).following(3) == following


@pytest.mark.parametrize(
    ("text", "ngram", "following"),
    [
        ([1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3], 3, [7, 1, 2]),
        ([9, 2, 3, 7, 1, 2, 3], 3, []),
        ([9, 2, 3, 7, 1, 2, 3], 2, [7, 1, 2]),
        ([1, 1, 1], 2, [1]),
        ([1, 2], 3, []),
    ],
)
def test_copyspec_copies_what_followed_all_the_last_tokens_first(
    text: list[int], ngram: int, following: list[int]
):
    """Where they came twice, after the first time; fewer of them are never looked for."""
    copyspec = Cut(lookup_rule="copyspec", lookup_ngram=ngram)
    assert SeenText(text, copyspec).following(3) == following
