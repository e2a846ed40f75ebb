import re

import pytest
from matplotlib.figure import Figure

from bench.show.plots import (
    COLOURS,
    DARK,
    INK,
    LONGEST_WORDS,
    looks,
    page_figure,
    pictures,
    render,
    words,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("torch", "torch"),
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
    assert len({(look.colour, look.marker) for look in found.values()}) == len(found)
    assert len({look.marker for look in list(found.values())[: len(COLOURS)]}) == len(COLOURS)


def test_on_a_dark_page_no_colour_of_a_light_one_is_left() -> None:
    def draw() -> Figure:
        figure, [[axes]] = page_figure(1.0)
        axes.plot([1, 2], color=COLOURS[1])
        axes.text(0.5, 0.5, "a")
        return figure

    drawn = pictures(draw, title="")
    for light, dark in (drawn.wide, drawn.narrow):
        assert {COLOURS[1].lower(), INK.lower()} <= colours(light)
        assert {DARK[COLOURS[1]].lower(), DARK[INK].lower()} <= colours(dark)
        assert not colours(light) & colours(dark)


def test_a_file_has_the_title_above_the_figure_and_a_page_does_not() -> None:
    def draw() -> Figure:
        figure, [[axes]] = page_figure(1.0)
        axes.text(0.5, 0.5, "inside")
        return figure

    title = "A title that is long enough " * 5
    drawn, plain = pictures(draw, title=title), render(draw)
    assert b"A title" not in drawn.wide[0] + drawn.narrow[0]
    assert drawn.file == render(draw, title=title)
    assert drawn.file.count(b"long enough") == 5
    assert height(drawn.file) > height(plain) + 2 * 0.17 * 72


def height(svg: bytes) -> float:
    found = re.search(rb'height="([\d.]+)pt"', svg)
    assert found is not None
    return float(found[1])


def colours(svg: bytes) -> set[str]:
    return {found.decode().lower() for found in re.findall(rb"#[0-9a-fA-F]{6}\b", svg)}
