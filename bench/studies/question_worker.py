"""A worker that answers questions about models instead of measuring requests.

    python -P -m bench.lifeline LIFELINE bench.studies.question_worker BACKEND CHANNEL

It is a worker (`bench.run.workers.worker`) with other commands: hidden states of prompts, and timed steps.
"""

from __future__ import annotations

from bench.run.workers.messages import Encode, Load
from bench.run.workers.worker import Commands, Worker, serve
from bench.studies.isolate.steps import Cell
from bench.studies.isolate.window import CellOpened, NextRound, OpenCell, RoundDone
from bench.studies.spectral.points import AskPoints, PointsTaken, ids_of, point_of


class StudyWorker(Worker):
    """Loaded models of one backend."""

    def points(self, message: AskPoints) -> PointsTaken:
        """Points of a spectral study, with their token ids."""
        model = self.models[message.model]
        ids = [ids_of(model, prompt) for prompt in message.prompts]
        points = [
            point_of(model, prompt, one, model=message.model)
            for prompt, one in zip(message.prompts, ids, strict=True)
        ]
        return PointsTaken(ids=ids, points=points)

    def isolate_open(self, message: OpenCell) -> CellOpened:
        """Set up the isolation tests of one loaded model; says which are not available, and why."""
        self.cell = Cell(
            model=self.models["full"],
            cut=message.cut,
            plan=message.plan,
            tiny=self.models.get("tiny"),
        )
        self.cell.open()
        return CellOpened(missing=self.cell.missing)

    def isolate_round(self, message: NextRound) -> RoundDone:
        """One window of every test."""
        return RoundDone(windows=self.cell.round(message.number))

    def commands(self) -> Commands:
        """What can be asked of it."""
        return {
            Load: self.load,
            Encode: self.encode,
            AskPoints: self.points,
            OpenCell: self.isolate_open,
            NextRound: self.isolate_round,
        }


if __name__ == "__main__":
    serve(StudyWorker)
