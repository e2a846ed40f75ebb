"""The published protocol repeated as it was, so that a re-run can show its error.

Unwarmed, one arm after another, one pass each; energy is wall time times one sample of power after the work
(`bench.suite.prepare.as_published`). One such run has no interval and gives no verdict on a claim: what it
shows is how far the protocol moves when nothing is changed, beside what it reports for the gate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.claims import ChangeParts, parts_of
from analysis.rows import Slot
from analysis.values import Withheld
from bench.report.names import arm_label
from bench.studies.claims.evidence import Evidence
from bench.studies.claims.statements import Statement


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """What the protocol, as it was, says of one run and one backend."""

    run: str
    backend: str
    kind: str
    """Whether the joules are measured, modelled, simulated or replayed."""
    gate: ChangeParts | Withheld
    """The gated arm against the ungated one, which ran first."""
    a_a: ChangeParts | Withheld
    """The ungated arm against itself: it ran last."""

    @property
    def inside(self) -> bool | None:
        """Whether the gate's change is no larger, as a ratio, than that of no change; None if not known."""
        if isinstance(self.gate, Withheld) or isinstance(self.a_a, Withheld):
            return None
        gate, a_a = (abs(math.log1p(part.energy_percent / 100)) for part in (self.gate, self.a_a))
        return gate <= a_a


def repeated(statement: Statement, evidence: Evidence) -> tuple[Repeated, ...]:
    """A claim of energy by the protocol as it was; empty for other claims and other runs."""
    if not evidence.as_published or statement.amount != "energy" or statement.gate is None:
        return ()
    slots = evidence.slots_after or []
    return tuple(
        _repeated([slot for slot in slots if slot.run == run], backend, statement.gate, evidence.baseline)
        for run in evidence.runs
        for backend in evidence.backends
        if arm_label((backend, statement.gate, False)) in evidence.arms
    )


def _repeated(slots: Sequence[Slot], backend: str, gate: str, baseline: str) -> Repeated:
    by_arm = {slot.arm: slot for slot in slots}
    plain, again, gated = (
        by_arm.get(arm_label(key))
        for key in ((backend, baseline, False), (backend, baseline, True), (backend, gate, False))
    )
    return Repeated(
        run=slots[0].run,
        backend=backend,
        kind=slots[0].kind,
        gate=parts_of(gated, plain),
        a_a=parts_of(again, plain),
    )
