"""`bench init`: the questions, the pilot and what is said of them; `register` adds it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bench.cli import complete
from bench.cli.commands import SET_UP, add
from bench.cli.options import AllowRoot, console, display
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.cli.init.answers import Answers
    from bench.cli.init.pilot import Pilot
    from bench.cli.init.suite_text import Draft
    from bench.suite.models import LocalModel

_DEFAULTS = {"model": "smollm2-135m", "question": "cost", "minutes": "60"}

Answer = TypeVar("Answer")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    add(app, SET_UP, init)


def init(
    file: Annotated[Path, typer.Argument(help="The suite to write; never overwritten.")] = Path("suite.toml"),
    model: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.models, help="A name of `bench models`, a hub id, a folder, a GGUF file."
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(autocompletion=complete.questions, help="What to find out: cost, gate, backend or cut."),
    ] = None,
    minutes: Annotated[str | None, typer.Option(metavar="NUMBER", help="Time that a run may take.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what is usual.")] = False,
    no_pilot: Annotated[
        bool, typer.Option("--no-pilot", help="Don't measure how noisy this machine is: assume it.")
    ] = False,
    allow_root: AllowRoot = False,
) -> None:
    """Write a suite for this machine: three questions, a short pilot, a file that explains itself.

    Examples: [bold]bench init[/], [bold]bench init my.toml --question cut --minutes 45 --yes[/]
    """
    from bench.cli.init import answers as asking
    from bench.run import privilege
    from bench.show import files
    from bench.suite.from_models import weights_of
    from bench.suite.models import locate

    files.check_new(file)
    usual = _DEFAULTS if yes else None
    privilege.lower(allow_root=allow_root, for_meter=not no_pilot)
    answers = asking.Answers(
        model=_answer(
            "model", model, usual, lambda text: (locate(text, weight_files=weights_of(text)), text)[1]
        ),
        question=_answer("question", question, usual, asking.checked_question),
        minutes=_answer("minutes", minutes, usual, asking.checked_minutes),
    )
    _make(answers, file, no_pilot=no_pilot)


def _make(answers: Answers, file: Path, *, no_pilot: bool) -> None:
    from bench.cli.init import make as making

    here = _fetched(answers.model)
    draft = making.begin(answers, here, file=file)
    pilot = None if no_pilot else _pilot(draft, answers)
    finished, sized = making.finish(draft, answers, pilot, file=file)
    making.write(finished, file)
    _say(finished, file, run_s=sized.run_s)


def _answer(
    name: str, given: str | None, usual: dict[str, str] | None, check: Callable[[str], Answer]
) -> Answer:
    """What was given as an option, or what is usual, or what is typed; asked again until it can be used.

    Raises:
        UserError: it can't be used, or nothing was typed and nobody is there to ask.
    """
    if given is None and usual is not None:
        given = usual[name]
    if given is not None:
        return check(given)
    while True:
        try:
            return check(_typed(name))
        except UserError as error:
            if not sys.stdin.isatty():
                raise
            print(error)


def _typed(name: str) -> str:
    """A line of standard input; what is usual where it is empty."""
    print(_text(name), end=" ", flush=True)
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(line.strip())  # so that a log shows what was answered
    if not line:
        raise UserError(
            f"no answer to {name!r} and nobody to ask", fix=f"give --{name}, or --yes for what is usual"
        )
    return line.strip() or _DEFAULTS[name]


def _text(name: str) -> str:
    from bench.cli.init.answers import QUESTIONS

    usual = f"[{_DEFAULTS[name]}]"
    if name == "model":
        return f"Which model? One of `bench models`, a hub id, a folder or a GGUF file {usual}:"
    if name == "question":
        lines = "\n".join(f"  {key:<9}{text}" for key, text in QUESTIONS.items())
        return f"What do you want to find out?\n{lines}\nOne of {', '.join(QUESTIONS)} {usual}:"
    return f"How many minutes may a run take? {usual}:"


def _fetched(model: str) -> LocalModel:
    from bench.run.display.progress import Bar
    from bench.run.fetch import ensure
    from bench.suite.from_models import weights_of

    with Bar() as progress:
        return ensure(model, None, progress=progress, weight_files=weights_of(model))


def _pilot(draft: Draft, answers: Answers) -> Pilot:
    from bench.cli.init import pilot as flying
    from bench.run.display.plain import clock
    from bench.show.table import say

    short = flying.draft_of(draft, minutes=answers.minutes)
    terminal = console()
    text = f"pilot: {short.blocks} blocks of {short.window_s:g} s windows, at least {clock(short.least_s)}"
    say(terminal, text)
    with display(terminal, as_json=False) as shown:
        return flying.fly(short, shown)


def _say(draft: Draft, file: Path, *, run_s: float) -> None:
    """What the heading of the file says, and what to type next."""
    from bench.run.display.plain import clock
    from bench.show.table import say

    terminal = console()
    say(terminal, *draft.heading[1:])
    say(terminal, f"wrote {file}", whole=True)
    say(terminal, f"next: bench run {file} (about {clock(run_s)}); --dry-run shows the plan", whole=True)
