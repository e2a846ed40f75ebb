"""Where each prompt went and what came back: the table through which strangers' text enters the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.quality import agreement
from bench.errors import UserError
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.run.records import ArmKey, RequestRecord
from bench.run.store import StoredRun
from bench.show.table import Table
from bench.suite.header import RunHeader
from bench.suite.prompt_forms import Prompt
from bench.suite.prompts import bundled_set, prompts_of
from bench.suite.suite_file import parse_suite

MOST_PROMPTS = 200
MOST_ROWS = 1000
MOST_CHARACTERS = 160
_COLUMNS = ("prompt", "text", "tokens", "configuration", "model", "token match", "answer")


def prompt_table(readback: Readback) -> Table:
    """A row per prompt and arm, A/A arms left out; the first prompts only."""
    ids = readback.run.header.prompts.ids
    few = ids[:MOST_PROMPTS]
    which = f"the first {len(few)} of {len(ids)} prompts" if len(few) < len(ids) else f"{len(ids)} prompts"
    texts = prompt_texts(readback.run)
    gone = "" if texts else "; the prompt file is gone or has changed, so their texts are not shown"
    return Table.plain(
        name="prompts",
        title=f"Routing by prompt: {which}, first repeat of each configuration{gone}",
        headings=_COLUMNS,
        rows=list(_rows(readback, few, texts)),
        most_rows=MOST_ROWS,
    )


def prompt_texts(run: StoredRun) -> dict[str, str]:
    """Texts by id; those of an older run, which kept only their hash, if it used a set that comes along."""
    try:
        return {prompt.id: prompt.text for prompt in run.prompts or _that_came_along(run.header)}
    except UserError:
        return {}


def _that_came_along(header: RunHeader) -> tuple[Prompt, ...]:
    """Prompts of the program itself; no path of a run folder, which somebody may have sent, is followed."""
    asked = parse_suite(header.suite.text, file=Path(header.suite.path)).prompts
    if asked.file is None or bundled_set(asked.file) is None:
        return ()
    here = prompts_of(asked, beside=Path())
    return here.prompts if here.sha256 == header.prompts.sha256 else ()


def _rows(readback: Readback, ids: list[str], texts: dict[str, str]) -> Iterator[list[Any]]:
    arms = [arm for arm in readback.arms if not arm[2]]
    first = {arm: readback.answers(arm) for arm in readback.arms}
    for name in ids:
        for arm in arms:
            request = first[arm].get(name)
            usual = first.get((arm[0], readback.baseline, False), {}).get(name)
            if request is not None:
                yield _row(name, texts.get(name), arm, request, usual)


def _row(
    name: str, text: str | None, arm: ArmKey, request: RequestRecord, usual: RequestRecord | None
) -> list[Any]:
    return [
        name,
        None if text is None else _short(text),
        request.prompt_tokens,
        arm_label(arm),
        _where(request),
        None
        if usual is None or usual is request or request.served or usual.served
        else f"{100 * agreement(request.tokens, usual.tokens):.0f} %",
        None if request.text is None else _short(request.text),
    ]


def _where(request: RequestRecord) -> str:
    """The model, and what was cut from it."""
    cut = ", ".join(f"{key} {value}" for key, value in (request.cut or {}).items())
    return f"{request.model}, {cut}" if cut else request.model


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
