"""What `bench data` prints: what was added, what can't be believed, and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from analysis.words import counted
from bench.report.dataset.add import Added
from bench.report.dataset.check import Checked
from bench.show.table import Column, Table, say, show

if TYPE_CHECKING:
    import pandas as pd


def say_added(one: Added, console: Console) -> None:
    """A line for a run."""
    said = f"added {one.file}" if one.file else f"left out {one.run}: {one.why_not}"
    console.print(said, markup=False, highlight=False, soft_wrap=True)


def added_to_json(one: Added) -> dict[str, Any]:
    """The same for programs."""
    return {**asdict(one), "file": None if one.file is None else str(one.file)}


def show_checked(found: Sequence[Checked], console: Console) -> None:
    """The answer, then every doubt, then what is too weak for a claim."""
    doubted = [one for one in found if one.failed]
    weak = [one for one in found if one.weak and not one.failed]
    if doubted:
        say(console, f"{len(doubted)} of {counted(len(found), 'run')} can't be believed.")
    else:
        say(console, f"{counted(len(found), 'run')}: every row is what its raw readings give.")
    for one in doubted:
        for doubt in one.failed:
            say(console, f"! {one.run}: {doubt}")
    if weak:
        say(console, f"No claim rests on {len(weak)} of them, though nothing is wrong with them:")
        show([Table.of(_WEAK, weak, title="Too weak for a claim")], console)


def checked_to_json(one: Checked) -> dict[str, Any]:
    """One run for programs."""
    return {**asdict(one), "file": str(one.file)}


def show_answer(answer: pd.DataFrame, joules: str, console: Console) -> None:
    """The rows of an answer, under what its joules are."""
    if answer.empty:
        say(console, "no run of the data set answers that")
        return
    rounded = answer.copy()
    for name in rounded.select_dtypes("float"):
        rounded[name] = [None if value != value else float(f"{value:.4g}") for value in rounded[name]]
    show(
        [Table.of_frame(rounded, name="answer", title=f"{counted(len(answer), 'row')}; joules {joules}")],
        console,
    )


_WEAK: tuple[Column[Checked], ...] = (
    Column("run", lambda one: one.run),
    Column("why", lambda one: "; ".join(one.weak), is_text=True),
)
