"""How long the rest of a run will take, from the slots that have been."""

from __future__ import annotations

from bench.plan import Slot


class Remaining:
    """Slots still to come, and what they are expected to take."""

    def __init__(self, blocks: list[list[Slot]]) -> None:
        self._slots = [slot for block in blocks for slot in block]
        self._took_s: dict[str, list[float]] = {}
        self.total = len(self._slots)

    @property
    def done(self) -> int:
        """Slots that are over."""
        return self.total - len(self._slots)

    @property
    def upcoming(self) -> Slot | None:
        """The slot after the one that is running."""
        return self._slots[1] if len(self._slots) > 1 else None

    def slot_took(self, slot: Slot, *, seconds_s: float) -> None:
        """Note the length of a slot that is over."""
        self._slots.remove(slot)
        self._took_s.setdefault(slot.arm.label, []).append(seconds_s)

    def seconds_s(self) -> float | None:
        """Expected seconds of the slots to come, the running one included; None before the first is over.

        An arm that has not run yet is taken to last as long as the mean of those that have.
        """
        means = {label: sum(took) / len(took) for label, took in self._took_s.items()}
        if not means:
            return None
        typical = sum(means.values()) / len(means)
        return sum(means.get(slot.arm.label, typical) for slot in self._slots)
