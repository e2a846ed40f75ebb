"""A stored run, read once: what every table, figure and page of it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.report.answer import Answer, answer_of
from bench.report.readback import Readback, read_back
from bench.report.rows import PHASES, of_phase
from bench.report.slots import SlotRead
from bench.report.summary import Summary, summarise
from bench.run import store
from bench.show import rates
from bench.show.rates import Rate
from energy.wall_file import WallMeter


@dataclass(frozen=True)
class Story:
    """One run: its records and readings, what of them counts, and the rows that came out."""

    readback: Readback
    summary: Summary
    at: tuple[Rate, ...] = ()
    """What the user says that a kilowatt-hour costs."""

    @property
    def slots(self) -> list[SlotRead]:
        """One row per slot that has a window, in the order in which they ran."""
        return self.readback.slots

    @cached_property
    def phases(self) -> dict[str, list[SlotRead]]:
        """The same rows with the seconds and tokens of each phase alone."""
        return {phase: [of_phase(slot, phase) for slot in self.slots] for phase in PHASES}

    @cached_property
    def answer(self) -> Answer:
        """What the run answers."""
        return answer_of(self.readback, self.summary)

    @property
    def million_tokens(self) -> dict[str, float | None]:
        """Joules of a million generated tokens, by configuration; None is not measured."""
        per_token = {cost.name: cost.joules_per_token for cost in self.answer.costs}
        return {name: None if joules is None else 1e6 * joules for name, joules in per_token.items()}

    @property
    def at_given_rates(self) -> list[str]:
        """A sentence for each number that the user gave."""
        kinds = [row.kind for row in self.summary.rows]
        return rates.lines(self.at, self.million_tokens, what=rates.MILLION_TOKENS, kinds=kinds)

    @classmethod
    def of(cls, folder: Path, *, wall: WallMeter | None = None, at: Sequence[Rate] = ()) -> Story:
        """Read a run folder.

        Args:
            folder: of the run.
            wall: samples of an external meter, which then leads.
            at: what the user says that a kilowatt-hour costs.

        Raises:
            UserError: not a run folder.
            EnergyError: a raw stream can't be read.
        """
        readback = read_back(store.read(folder), wall=wall)
        return cls(readback, summarise(readback), tuple(at))
