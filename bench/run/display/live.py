"""The plain lines above a status that is redrawn in place, for a person at a terminal.

Inside a window it redraws only between two requests and at most every two seconds. Nothing is decoded for
it: the watts it shows are those of the last window that was closed, and say so.
"""

from __future__ import annotations

import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bench.run.display.layout import progress_bar, rails_text, status_lines
from bench.run.display.plain import PlainDisplay, clock, joules_per_token, left_text, watts
from bench.run.observed import Joules
from bench.run.records import RequestRecord, SlotRecord, VoidSlot
from bench.run.remaining import Expected, Remaining
from bench.show.safe_text import visible
from bench.suite.plan import PlannedSlot

REDRAW_S = 2.0
"""Least time between two redraws inside a window, which keeps them below a thousandth of a core."""
_KEPT_LINES = 10
"""Lines that are printed again when the terminal has changed its size."""


class _Ticker(threading.Thread):
    """Tells every second how many have passed, until it is ended."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__(daemon=True)
        self._tell, self._over = tell, threading.Event()

    def run(self) -> None:
        """Count."""
        began_s = time.perf_counter()
        while not self._over.wait(1.0):
            self._tell(round(time.perf_counter() - began_s))

    def end(self) -> None:
        """Return when nothing more will be told."""
        self._over.set()
        self.join()


class LiveDisplay(PlainDisplay):
    """Use as a context manager: on exit the status is gone and the lines stay."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._size = console.size
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rows: dict[str, str] = {}
        self._ticker: _Ticker | None = None
        self._expected: Expected | None = None
        self._drawn_s = self._opened_s = 0.0
        self._done = self._new_tokens = 0

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stand_still()
        self._live.update("")
        self._live.stop()

    def stage(self, what: str, *, ticking: bool = False) -> None:
        """Show it as what goes on now, with its seconds where nothing is measured; no slot does."""
        self._stand_still()
        for name in ("window", "running", "prompt", "speed"):
            self._rows.pop(name, None)
        self._rows["now"] = what
        self._draw()
        if ticking:
            self._ticker = _Ticker(lambda seconds: self._tick(what, seconds))
            self._ticker.start()

    def _tick(self, what: str, seconds: int) -> None:
        self._rows["now"] = f"{what}, {clock(seconds)}"
        self._draw()

    def _stand_still(self) -> None:
        """End whatever ticks; nothing does while something is measured."""
        if self._ticker is not None:
            self._ticker.end()
            self._ticker = None

    def idle_done(self, joules: Joules, *, seconds_s: float, thermal: str | None) -> None:
        """Print the idle power and keep it for the status."""
        super().idle_done(joules, seconds_s=seconds_s, thermal=thermal)
        self._keep(joules, seconds_s, of="idle", thermal=thermal)

    def slot_started(self, slot: PlannedSlot, *, remaining: Remaining) -> None:
        """Show which slot it is and what comes next."""
        self._stand_still()
        super().slot_started(slot, remaining=remaining)
        self._expected, self._running_s = remaining.left(), remaining.running_s()
        self._began_s = self._opened_s = time.perf_counter()
        self._done = self._new_tokens = 0
        then, bar = remaining.upcoming, progress_bar(remaining.done, remaining.total)
        self._rows |= {
            "now": "cooling down",
            "window": f"{remaining.done + 1} of {remaining.total}, block {slot.block}  {bar}",
            "running": slot.arm.label,
            "left": f"at least {clock(remaining.least_s)}",
            "next": then.arm.label if then else "idle, then the tables",
        }
        self._draw()

    def window_opens(self) -> None:
        """Say so, as long as it costs nobody anything."""
        self._rows["now"] = "measuring"
        self._draw()
        self._opened_s = self._drawn_s

    def request_done(self, request: RequestRecord, *, of: int) -> None:
        """Count; redraw if the last time is long enough ago."""
        self._done += 1
        self._new_tokens += request.all_new_tokens
        if request.end_s - self._drawn_s < REDRAW_S:
            return
        self._rows["prompt"] = f"{(self._done - 1) % of + 1} of {of}, repeat {request.pass_number}"
        self._rows["speed"] = f"{self._new_tokens / (request.end_s - self._opened_s):.1f} tok/s"
        self._draw()

    def slot_done(
        self, slot: SlotRecord | VoidSlot, requests: Sequence[RequestRecord], *, thermal: str | None
    ) -> None:
        """Print the slot's figures and keep its power."""
        for name in ("prompt", "speed"):
            self._rows.pop(name, None)
        super().slot_done(slot, requests, thermal=thermal)
        if isinstance(slot, SlotRecord):
            self._keep(slot.joules, slot.seconds_s, of="window", thermal=thermal)
            tokens = sum(request.all_new_tokens for request in requests)
            self._rows["energy"] = f"{joules_per_token(slot.joules, tokens)}, last window"

    def _left(self) -> str:
        """Nothing: the status has it."""
        return ""

    def _keep(self, joules: Joules, seconds_s: float, *, of: str, thermal: str | None) -> None:
        """What the status says of the machine until the next window is closed."""
        self._rows["power"] = f"{watts(joules, seconds_s)}, last {of}"
        self._rows["rails"] = "" if joules.withheld else rails_text(joules.rails_j, seconds_s)
        self._rows["thermal"] = "" if thermal is None else f"{thermal}, last {of}"

    def _draw(self) -> None:
        if self._expected is not None:
            gone_s = min(time.perf_counter() - self._began_s, self._running_s)
            self._rows["left"] = left_text(self._expected, gone_s=gone_s)
        if self.console.size != self._size:
            self._start_anew()
        lines = ["", *map(visible, status_lines(self._rows, width=self.console.width))]
        shown = "\n".join(lines[: max(self.console.height - 1, 1)])
        self._live.update(Text(shown, no_wrap=True, overflow="ellipsis"), refresh=True)
        self._drawn_s = time.perf_counter()

    def _start_anew(self) -> None:
        """Clear a terminal that has changed its size: it has wrapped what was drawn for the old one."""
        self._size = self.console.size
        self._live.update("")
        self._live.stop()
        self.console.clear()
        for line in self._lines:
            self._show(line)
        self._live.start()

    def _print(self, text: str) -> None:
        self._lines.append(text)
        self._show(text)

    def _show(self, text: str) -> None:
        """Wrap at words, so that a narrow terminal does not cut them."""
        width = max(self.console.width, 20)
        wrapped = textwrap.fill(visible(text), width, subsequent_indent="    ", break_on_hyphens=False)
        self.console.print(wrapped, markup=False, highlight=False, soft_wrap=True)
