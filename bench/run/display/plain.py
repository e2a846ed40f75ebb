"""What a person or a program is told while a run goes on: its words, and the plain ways.

    Display        nothing: the base of the others, and what `--quiet` takes
    PlainDisplay   a line for each thing, for logs and pipes
    LiveDisplay    the plain lines above a status that is redrawn in place (`bench.run.display.live`)
    JsonDisplay    one JSON object a line (`bench.run.display.jsonl`)

While something is measured a display runs no thread and no timer, and inside a window it does next to
nothing: whatever it uses of the machine lands in somebody's joules. `benchmarks/redraw.py` measures how much
that is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from analysis.words import counted
from bench.run.observed import Joules, SameLogits
from bench.run.records import RequestRecord, SlotRecord, VoidSlot
from bench.run.remaining import Expected, Remaining
from bench.show.safe_text import visible
from bench.show.words import share_percent, significant
from bench.suite.plan import PlannedSlot


class Display:
    """Told what happens, in this order; must return at once. This one shows nothing."""

    def stage(self, what: str, *, ticking: bool = False) -> None:
        """Something other than a slot begins; `ticking`: nothing is measured, so seconds may be shown."""

    def note(self, text: str) -> None:
        """Something that the user must know."""

    def equal_work(self, agreement: SameLogits) -> None:
        """Two backends were found to agree."""

    def idle_done(self, joules: Joules, *, seconds_s: float, thermal: str | None) -> None:
        """An idle measurement is over; `thermal` is the pressure at its end, where the meter tells it."""

    def slot_started(self, slot: PlannedSlot, *, remaining: Remaining) -> None:
        """A slot begins; its window opens after the cool-down."""

    def window_opens(self) -> None:
        """The cool-down is over; called just before the start of the window is stamped."""

    def request_done(self, request: RequestRecord, *, of: int) -> None:
        """A request of the running slot is over; a pass has `of` requests. The window is open."""

    def slot_done(
        self, slot: SlotRecord | VoidSlot, requests: Sequence[RequestRecord], *, thermal: str | None
    ) -> None:
        """A slot is over and stored."""


class PlainDisplay(Display):
    """A line for each thing, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._slot = ""

    def stage(self, what: str, *, ticking: bool = False) -> None:
        """Print it."""
        self._print(what)

    def note(self, text: str) -> None:
        """Print it, marked."""
        self._print(f"note: {text}")

    def equal_work(self, agreement: SameLogits) -> None:
        """Print by how much the backends differ."""
        self._print(equal_work_line(agreement))

    def idle_done(self, joules: Joules, *, seconds_s: float, thermal: str | None) -> None:
        """Print the idle power."""
        self._print(idle_line(joules, seconds_s=seconds_s) + _if_hot(thermal))

    def slot_started(self, slot: PlannedSlot, *, remaining: Remaining) -> None:
        """Keep the name for the line at the end."""
        self._slot = f"window {remaining.done + 1}/{remaining.total}  {slot.arm.label}"
        self._remaining = remaining

    def slot_done(
        self, slot: SlotRecord | VoidSlot, requests: Sequence[RequestRecord], *, thermal: str | None
    ) -> None:
        """Print the slot's figures."""
        self._print(f"{self._slot}: {slot_line(slot, requests)}{_if_hot(thermal)}{self._left()}")

    def _left(self) -> str:
        """What is left after the slot that is over; nothing after the last."""
        left = self._remaining.left()
        return "" if left is None or not left.mean_s else f", {left_text(left)} left"

    def _print(self, text: str) -> None:
        self.console.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def equal_work_line(agreement: SameLogits) -> str:
    """`equal work: torch and mlx agree on full, logits 0.00029 % apart (tolerance 0.5 %)`."""
    first, other = agreement.backends
    if agreement.logit_difference is None:
        return (
            f"equal work: {first} and {other} make the same token ids of every prompt of {agreement.model}; "
            "one gives no logits, so what they answer is told by the token match"
        )
    far = "" if agreement.apart is None else f", logits {share_percent(agreement.apart)} apart"
    exact = agreement.float32_apart
    in_float32 = "" if exact is None else f", in float32 {share_percent(exact)}"
    limit = share_percent(agreement.tolerance)
    tokens = agreement.same_tokens
    unlike = "" if tokens in (None, 1.0) else f", {share_percent(tokens)} of the next tokens alike"
    cause = f"; {agreement.cause}" if agreement.cause else ""
    agree = f"equal work: {first} and {other} agree on {agreement.model}"
    return f"{agree}{far}{in_float32}{unlike} (tolerance {limit}){cause}"


def idle_line(joules: Joules, *, seconds_s: float) -> str:
    """`idle: 4.01 W modelled, over 3 s`."""
    power = "power " if joules.total_j is None else ""
    return f"idle: {power}{watts(joules, seconds_s)}, over {seconds_s:.0f} s"


def slot_line(slot: SlotRecord | VoidSlot, requests: Sequence[RequestRecord]) -> str:
    """Time, tokens and joules per token of a slot, or why it has none."""
    if isinstance(slot, VoidSlot):
        return f"void ({slot.error})"
    tokens = sum(request.all_new_tokens for request in requests)
    return (
        f"{counted(slot.passes, 'repeat')}, {slot.seconds_s:.1f} s, {counted(tokens, 'token')}, "
        f"{joules_per_token(slot.joules, tokens)}"
    )


def joules_per_token(joules: Joules, tokens: int) -> str:
    """`0.490 J/token simulated`, or why it is not known."""
    if joules.total_j is None:
        return f"no joules ({joules.withheld})"
    if not tokens:
        return f"{joules.total_j:.1f} J {joules.kind}, no token"
    return f"{significant(joules.total_j / tokens)} J/token {joules.kind}"


def watts(joules: Joules, seconds_s: float) -> str:
    """Mean power of a window with the kind of its source."""
    if joules.total_j is None:
        return f"unknown ({joules.withheld})"
    return f"{joules.total_j / seconds_s:.2f} W {joules.kind}"


def clock(seconds_s: float) -> str:
    """`45 s`, `3 min`, `2 h 05 min`."""
    minutes = round(seconds_s / 60)
    if seconds_s < 90:
        return f"{seconds_s:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def left_text(left: Expected, *, gone_s: float = 0.0) -> str:
    """`12 min ± 2 min`, about 95 % sure; `about 12 min` where the spread is not known yet.

    Args:
        left: as it was expected.
        gone_s: seconds of it that have passed since.
    """
    mean = clock(max(left.mean_s - gone_s, 0.0))
    return f"about {mean}" if left.spread_s is None else f"{mean} ± {clock(max(left.spread_s, 1.0))}"


def _if_hot(thermal: str | None) -> str:
    return "" if thermal is None or thermal.lower() == "nominal" else f", thermal pressure {thermal}"
