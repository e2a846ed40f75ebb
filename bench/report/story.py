"""A stored run, read once: what every table, figure and page of it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.report.answer import Answer, answer_of
from bench.report.readback import Readback, read_back
from bench.report.slots import SlotRead
from bench.report.summary import Summary, summarise
from bench.run import store
from energy.wall_file import WallMeter


@dataclass(frozen=True)
class Story:
    """One run: its records and readings, what of them counts, and the rows that came out."""

    readback: Readback
    summary: Summary

    @property
    def slots(self) -> list[SlotRead]:
        """One row per slot that has a window, in the order in which they ran."""
        return self.readback.slots

    @cached_property
    def answer(self) -> Answer:
        """What the run answers."""
        return answer_of(self.readback, self.summary)

    @classmethod
    def of(cls, folder: Path, *, wall: WallMeter | None = None) -> Story:
        """Read a run folder.

        Args:
            folder: of the run.
            wall: samples of an external meter, which then leads.

        Raises:
            UserError: not a run folder.
            EnergyError: a raw stream can't be read.
        """
        readback = read_back(store.read(folder), wall=wall)
        return cls(readback, summarise(readback))
