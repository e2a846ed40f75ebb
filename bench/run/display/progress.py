"""A progress bar for downloads and conversions: a bar on a terminal, a line per stage elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Called with a description, bytes done and bytes in total; shows nothing until it is called.

    Args:
        quiet: show nothing then either.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task = self._progress.add_task("", total=None, visible=False)
        self._last = ""

    def __enter__(self) -> Bar:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def __call__(self, what: str, done: int | None, total: int | None) -> None:
        """Show how far it is; without a total, that it goes on."""
        if what != self._last and not self._console.is_terminal:
            self._console.print(what, markup=False, highlight=False)
        self._last = what
        self._progress.update(self._task, description=what, completed=done or 0, total=total, visible=True)
