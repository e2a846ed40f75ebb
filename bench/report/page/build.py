"""Runs -> one HTML file that needs no network and no other file, and its figures and tables beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from bench import __version__
from bench.report.answer import NOISE_IS
from bench.report.answer_table import MOST_SENTENCES
from bench.report.figures.catalogue import figures
from bench.report.page.chapter import Chapter, Drawings, Judging, make_chapter
from bench.report.page.provenance import known, unknown
from bench.report.story import Story
from bench.show.files import together
from bench.show.safe_text import visible
from bench.show.table import NOTHING

PAGE = "report.html"
SCRIPTS = ("tools.js", "chart.js", "hands.js", "page.js")
"""Joined in this order."""


def write_page(
    stories: Iterable[Story],
    out: Path,
    *,
    apart: bool = False,
    drawings: Drawings = figures,
    claims: Judging | None = None,
) -> Path:
    """Write `out/report.html` and the files beside it; returns the page's path.

    Every file appears whole or not at all, the page last. They can be made again at any time, so older
    ones are replaced.

    Args:
        stories: the runs, one chapter each; read one after the other, as each may be large.
        out: folder; it is made.
        apart: put the files of each run into a folder of its own.
        drawings: makes the figures of a run.
        claims: judges the published claims on a run; None leaves them out.

    Raises:
        UserError: `out` can't be written.
    """
    with together(out, last=PAGE) as staging:
        chapters = []
        for number, story in enumerate(stories, start=1):
            prefix = f"{number}-{story.readback.run.folder.resolve().name}/" if apart else ""
            (staging / prefix).mkdir(exist_ok=True)
            chapters.append(
                make_chapter(story, drawings, staging / prefix, number=number, prefix=prefix, claims=claims)
            )
        (staging / PAGE).write_text(render(chapters), encoding="utf-8")
    return out / PAGE


def render(chapters: Sequence[Chapter]) -> str:
    """The page as HTML."""
    return fill(
        "page.html.j2",
        style=f"{text_of('page.css')}{_colours(chapters)}",
        script="\n".join(map(text_of, SCRIPTS)),
        chapters=chapters,
        most_sentences=MOST_SENTENCES,
        noise_is=NOISE_IS,
    )


def fill(template: str, *, style: str, script: str, **values: Any) -> str:
    """A page that holds its style and script, and whose policy allows no others; all values are escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(text_of),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seen": _seen,
        "tied": _tied,
        "data_uri": _data_uri,
        "known": known,
        "unknown": unknown,
    }
    return environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        version=__version__,
        nothing=NOTHING,
        **values,
    )


def _colours(chapters: Sequence[Chapter]) -> str:
    """The colours of configurations as rules; attributes of style would need a policy that allows any."""
    return "\n".join(
        f".{chapter.key}-look{number} {{ --own: light-dark({light}, {dark}); }}"
        for chapter in chapters
        for number, (light, dark) in enumerate(chapter.colours)
    )


def _seen(text: object) -> str:
    """Text with control characters as pictures; jinja2 escapes what is markup."""
    return visible(text, lines=True)


def _tied(text: object) -> str:
    """A text of the program's own, in which no per cent sign begins a line."""
    return _seen(text).replace(" %", "\u00a0%")


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"


def _hash(text: str) -> str:
    """What the page's policy allows: this style, this script, nothing else."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def text_of(name: str) -> str:
    """A file of this folder."""
    return resources.files("bench.report.page").joinpath(name).read_text(encoding="utf-8")
