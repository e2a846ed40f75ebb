"""A worker that answers questions about models instead of measuring requests.

    python -P -m bench.studies.worker BACKEND CHANNEL LIFELINE

It is a worker (`bench.run.workers.worker`) with other commands: hidden states of prompts, and timed steps.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backends.cut import Cut
from bench.run.workers.worker import Command, Worker, serve
from bench.studies.isolate.steps import Cell
from bench.studies.isolate.window import Plan, as_message
from bench.studies.spectral.points import ids_of, point_of
from bench.studies.spectral.prompts import SpectralPrompt


class StudyWorker(Worker):
    """Loaded models of one backend."""

    def points(self, message: dict[str, Any]) -> dict[str, Any]:
        """Points of a spectral study, with their token ids; null for a prompt that has none."""
        model = self.models[message["model"]]
        prompts = [SpectralPrompt(**prompt) for prompt in message["prompts"]]
        ids = [ids_of(model, prompt) for prompt in prompts]
        points = [
            point_of(model, prompt, one, model=message["name"])
            for prompt, one in zip(prompts, ids, strict=True)
        ]
        return {"ids": ids, "points": [asdict(point) if point else None for point in points]}

    def isolate_open(self, message: dict[str, Any]) -> dict[str, Any]:
        """Set up the isolation tests of one loaded model; says which are not available, and why."""
        self.cell = Cell(
            model=self.models["full"],
            cut=Cut.model_validate(message["cut"]),
            plan=Plan(**message["plan"]),
            tiny=self.models.get("tiny"),
        )
        self.cell.open()
        return {"missing": self.cell.missing}

    def isolate_round(self, message: dict[str, Any]) -> dict[str, Any]:
        """One window of every test."""
        return {"windows": as_message(self.cell.round(message["number"]))}

    def commands(self) -> tuple[Command, ...]:
        """What can be asked of it."""
        return (self.load, self.encode, self.points, self.isolate_open, self.isolate_round)


if __name__ == "__main__":
    serve(StudyWorker)
