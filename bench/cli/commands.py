"""How a command joins the command line: its group in `bench --help`, and help that fits one screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

SET_UP, MEASURE, JUDGE, LOOK, PAPERS = "Set up", "Measure", "Judge", "Look", "Claims of papers"


def add(app: typer.Typer, group: str, command: Callable[..., None], *, name: str | None = None) -> None:
    """Add a function as a command of this group; see `ShortHelp`."""
    app.command(name, cls=ShortHelp, rich_help_panel=group)(command)


class ShortHelp(TyperCommand):
    """What to type and what it does in two columns without boxes: half the lines of typer's own help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print usage, purpose, examples, arguments and options; typer's seam for other help."""
        from rich.console import Console
        from rich.table import Table

        rows = [_row(parameter) for parameter in self.get_params(ctx) if not _is_hidden(parameter)]
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="cyan")
        grid.add_column()
        for shown in rows:
            grid.add_row(*shown)
        console = Console(highlight=False)
        console.print(f"[bold]{_usage(self, ctx)}[/]")
        for paragraph in (self.help or "").strip().split("\n\n"):
            console.print(" ".join(paragraph.split()))
        console.print()
        console.print(grid)


def _usage(command: TyperCommand, ctx: Any) -> str:
    arguments = [_row(one)[0] for one in command.get_params(ctx) if one.param_type_name == "argument"]
    return " ".join([ctx.command_path, *arguments, "\\[OPTIONS]"])


def _row(parameter: Any) -> tuple[str, str]:
    said = (parameter.help or "").strip().replace("[default", "\\[default")
    if parameter.param_type_name == "argument":
        return (parameter.metavar or parameter.name.upper()).replace("[", "\\["), said
    names = ", ".join(sorted([*parameter.opts, *parameter.secondary_opts], key=len))
    default = parameter.default
    if isinstance(default, str | int | Path) and not isinstance(default, bool) and "default" not in said:
        said = f"{said} \\[default: {default}]"
    return names, said


def _is_hidden(parameter: Any) -> bool:
    return getattr(parameter, "hidden", False)
