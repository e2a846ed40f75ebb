"""One JSON object a line on standard output while a run goes on, for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.run.display.plain import Display
from bench.run.observed import Joules, SameLogits
from bench.run.records import RequestRecord, SlotRecord, VoidSlot
from bench.run.remaining import Remaining
from bench.suite.plan import PlannedSlot


class JsonDisplay(Display):
    """Each line has an `event`; seconds, joules and the rest are as in the run's records."""

    def stage(self, what: str, *, ticking: bool = False) -> None:
        """A stage begins."""
        self._write("stage", what=what)

    def note(self, text: str) -> None:
        """A note."""
        self._write("note", text=text)

    def equal_work(self, agreement: SameLogits) -> None:
        """An agreement of two backends."""
        self._write("equal_work", **asdict(agreement))

    def idle_done(self, joules: Joules, *, seconds_s: float, thermal: str | None) -> None:
        """An idle measurement."""
        self._write("idle", seconds_s=seconds_s, total_j=joules.total_j, kind=joules.kind, thermal=thermal)

    def slot_started(self, slot: PlannedSlot, *, remaining: Remaining) -> None:
        """A slot begins; `left_s` plus or minus `left_spread_s` covers what is left in 95 % of cases."""
        left, then = remaining.left(), remaining.upcoming
        self._write(
            "slot_started",
            slot=remaining.done + 1,
            slots=remaining.total,
            arm=slot.arm.label,
            next=then.arm.label if then else None,
            left_s=left.mean_s if left else None,
            left_spread_s=left.spread_s if left else None,
        )

    def slot_done(
        self, slot: SlotRecord | VoidSlot, requests: Sequence[RequestRecord], *, thermal: str | None
    ) -> None:
        """A slot is over."""
        tokens = sum(request.all_new_tokens for request in requests)
        self._write("slot_done", **slot.to_json(), thermal=thermal, new_tokens=tokens)

    def _write(self, event: str, **fields: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()
