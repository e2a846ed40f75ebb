"""What a person or a program sees while a run goes on: a live line, plain lines, or JSON lines.

Inside a window a display may redraw only between two requests, and never more than twice a second; it
starts no thread and no timer of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from bench.pace import Remaining
from bench.plan import Slot
from bench.records import Joules, RequestRecord, SlotRecord

_REDRAW_S = 0.5


class Display(Protocol):
    """Told what happens, in this order; must return at once."""

    def stage(self, what: str) -> None:
        """Something other than a slot begins."""

    def note(self, text: str) -> None:
        """Something that the user must know."""

    def equal_work(self, agreement: dict[str, Any]) -> None:
        """Two backends were found to agree."""

    def idle_done(self, joules: Joules, *, seconds_s: float) -> None:
        """An idle measurement is over."""

    def slot_started(self, slot: Slot, *, remaining: Remaining) -> None:
        """A slot begins; its window opens after the cool-down."""

    def request_done(self, request: RequestRecord, *, of: int) -> None:
        """A request of the running slot is over; a pass has `of` requests. The window is open."""

    def slot_done(self, slot: SlotRecord, requests: Sequence[RequestRecord]) -> None:
        """A slot is over and stored."""


class PlainDisplay:
    """A line for each thing, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._slot = ""

    def stage(self, what: str) -> None:
        """Print it."""
        self._print(what)

    def note(self, text: str) -> None:
        """Print it, marked."""
        self._print(f"note: {text}")

    def equal_work(self, agreement: dict[str, Any]) -> None:
        """Print by how much the backends differ."""
        self._print(equal_work_line(agreement))

    def idle_done(self, joules: Joules, *, seconds_s: float) -> None:
        """Print the idle power."""
        self._print(idle_line(joules, seconds_s=seconds_s))

    def slot_started(self, slot: Slot, *, remaining: Remaining) -> None:
        """Keep the name for the line at the end."""
        left = remaining.seconds_s()
        self._slot = f"slot {remaining.done + 1}/{remaining.total}  {slot.arm.label}"
        self._left = "" if left is None else f", {clock(left)} left"

    def request_done(self, request: RequestRecord, *, of: int) -> None:
        """Nothing: a window is open."""

    def slot_done(self, slot: SlotRecord, requests: Sequence[RequestRecord]) -> None:
        """Print the slot's figures."""
        self._print(f"{self._slot}: {slot_line(slot, requests)}{self._left}")

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveDisplay(PlainDisplay):
    """The plain lines above a status that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn_s = 0.0
        self._watts = "not yet"

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def stage(self, what: str) -> None:
        """Show it as the status."""
        self._draw([("now", what)])

    def idle_done(self, joules: Joules, *, seconds_s: float) -> None:
        """Print the idle power and keep it for the status."""
        super().idle_done(joules, seconds_s=seconds_s)
        self._watts = watts(joules, seconds_s)

    def slot_started(self, slot: Slot, *, remaining: Remaining) -> None:
        """Show which slot it is and what comes next."""
        super().slot_started(slot, remaining=remaining)
        left, then = remaining.seconds_s(), remaining.upcoming
        self._left = ""  # the status has it
        self._fixed = [
            ("slot", f"{remaining.done + 1} of {remaining.total}, block {slot.block}"),
            ("arm", slot.arm.label),
            ("power", f"{self._watts} (last window)"),
            ("left", "known after the first slot" if left is None else f"about {clock(left)}"),
            ("next", then.arm.label if then else "idle, then the table"),
        ]
        self._done = self._new_tokens = 0
        self._opened_s = time.perf_counter()
        self._draw(self._fixed)

    def request_done(self, request: RequestRecord, *, of: int) -> None:
        """Redraw if the last time is long enough ago."""
        self._done += 1
        self._new_tokens += len(request.tokens)
        now_s = time.perf_counter()
        if now_s - self._drawn_s < _REDRAW_S:
            return
        speed = self._new_tokens / (now_s - self._opened_s)
        progress = (
            f"prompt {(self._done - 1) % of + 1} of {of}, pass {request.pass_number}, {speed:.1f} tokens/s"
        )
        self._draw([*self._fixed[:2], ("now", progress), *self._fixed[2:]])

    def slot_done(self, slot: SlotRecord, requests: Sequence[RequestRecord]) -> None:
        """Print the slot's figures and keep its power."""
        super().slot_done(slot, requests)
        if slot.joules and slot.start_s is not None and slot.end_s is not None:
            self._watts = watts(slot.joules, slot.end_s - slot.start_s)

    def _draw(self, rows: list[tuple[str, str]]) -> None:
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(f"[dim]{name}[/]", escape(value))
        self._live.update(table, refresh=True)
        self._drawn_s = time.perf_counter()


class JsonDisplay:
    """One JSON object a line on standard output, for programs."""

    def stage(self, what: str) -> None:
        """A stage begins."""
        self._write("stage", what=what)

    def note(self, text: str) -> None:
        """A note."""
        self._write("note", text=text)

    def equal_work(self, agreement: dict[str, Any]) -> None:
        """An agreement of two backends."""
        self._write("equal_work", **agreement)

    def idle_done(self, joules: Joules, *, seconds_s: float) -> None:
        """An idle measurement."""
        self._write("idle", seconds_s=seconds_s, total_j=joules.total_j, kind=joules.kind)

    def slot_started(self, slot: Slot, *, remaining: Remaining) -> None:
        """A slot begins."""
        left = remaining.seconds_s()
        self._write(
            "slot_started", slot=remaining.done + 1, slots=remaining.total, arm=slot.arm.label, left_s=left
        )

    def request_done(self, request: RequestRecord, *, of: int) -> None:
        """Nothing: a window is open."""

    def slot_done(self, slot: SlotRecord, requests: Sequence[RequestRecord]) -> None:
        """A slot is over."""
        self._write("slot_done", **slot.to_json())

    def _write(self, event: str, **fields: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def equal_work_line(agreement: dict[str, Any]) -> str:
    """`equal work: torch and mlx agree on full, logits within 6e-05 (tolerance 0.001)`."""
    first, other = agreement["backends"]
    return (
        f"equal work: {first} and {other} agree on {agreement['model']}, logits within "
        f"{agreement['logit_difference']:.1g} (tolerance {agreement['tolerance']:g})"
    )


def idle_line(joules: Joules, *, seconds_s: float) -> str:
    """`idle: 4.01 W modelled, over 3 s`."""
    return f"idle: {watts(joules, seconds_s)}, over {seconds_s:.0f} s"


def slot_line(slot: SlotRecord, requests: Sequence[RequestRecord]) -> str:
    """Time, tokens and joules of a slot, or why it has none."""
    if slot.error or slot.start_s is None or slot.end_s is None or slot.joules is None:
        return f"void ({slot.error})"
    seconds_s = slot.end_s - slot.start_s
    tokens = sum(len(request.tokens) for request in requests)
    energy = slot.joules
    joules = (
        f"no joules ({energy.withheld})"
        if energy.total_j is None
        else f"{energy.total_j:.1f} J {energy.kind}"
    )
    passes = "1 pass" if slot.passes == 1 else f"{slot.passes} passes"
    return f"{passes}, {seconds_s:.1f} s, {tokens} new tokens, {joules}"


def watts(joules: Joules, seconds_s: float) -> str:
    """Mean power of a window with the kind of its source."""
    if joules.total_j is None:
        return f"power unknown ({joules.withheld})"
    return f"{joules.total_j / seconds_s:.2f} W {joules.kind}"


def clock(seconds_s: float) -> str:
    """`45 s`, `3 min`, `2 h 05 min`."""
    minutes = round(seconds_s / 60)
    if seconds_s < 90:
        return f"{seconds_s:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
