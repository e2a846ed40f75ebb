import pytest

from bench.show.plots import COLOURS, LONGEST_WORDS, looks, words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("torch ungated", "torch ungated"),
        ("$x$", "$x$"),
        ("a\n\n b\tc", "a b c"),
        ("日本", "\u25a1\u25a1"),
        ("\x1b[31m", "\u25a1[31m"),
    ],
)
def test_words_of_others_are_shown_and_do_nothing(text: str, shown: str) -> None:
    assert words(text) == shown


def test_long_words_are_cut() -> None:
    assert len(words("x" * 500)) == LONGEST_WORDS
    assert words("x" * 500).endswith("\u2026")


def test_no_two_of_fourteen_arms_look_alike() -> None:
    found = looks([str(i) for i in range(2 * len(COLOURS))])
    assert len({(look.colour, look.marker, look.filled) for look in found.values()}) == len(found)
    assert len({look.marker for look in list(found.values())[: len(COLOURS)]}) == len(COLOURS)
