"""Options and the console that several commands share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Write JSON for programs instead of text.")]
AllowRoot = Annotated[
    bool, typer.Option("--allow-root", help="Run models as root, in a container that has no other user.")
]


def console() -> Console:
    """Standard output: as wide as the terminal, or 120 columns into a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)
