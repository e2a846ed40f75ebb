"""`RUN`, `RUN:backend` and `RUN:backend/gate`: which arms of which run are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError, nearest
from bench.report.names import arm_label
from bench.report.story import Story
from bench.run.records import ArmKey


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Arms of one run, without A/A copies."""

    text: str
    """As typed."""
    story: Story
    backend: str | None
    """None: every backend of the run."""
    gate: str | None
    arms: tuple[ArmKey, ...]


def choose(texts: Sequence[str]) -> list[Chosen]:
    """Read what was typed; a run that is named twice is read once.

    Raises:
        UserError: no such run, backend or gate.
        EnergyError: a raw stream can't be read.
    """
    stories: dict[Path, Story] = {}
    chosen_arms = []
    for text in texts:
        folder, backend, gate = parts(text)
        place = folder.resolve()
        if place not in stories:
            stories[place] = Story.of(folder)
        chosen_arms.append(_chosen(text, stories[place], backend, gate))
    return chosen_arms


def parts(text: str) -> tuple[Path, str | None, str | None]:
    """Folder, backend and gate of a selector; a colon may also belong to the folder's name.

    Raises:
        UserError: nothing before a colon is a run folder.
    """
    ends = [len(text), *(place for place, char in enumerate(text) if char == ":")]
    for end in ends:
        folder = Path(text[:end])
        if end and (folder / "run.json").is_file():
            backend, _, gate = text[end + 1 :].partition("/")
            return folder, backend or None, gate or None
    folder = Path(text.partition(":")[0])
    raise UserError(
        f"{folder} is not a run folder: it has no readable run.json", fix="list runs with: bench runs"
    )


def matched(first: Chosen, second: Chosen) -> list[tuple[ArmKey, ArmKey]]:
    """Arms to be compared: one with one; else the same gate where both name a backend; else the same arm.

    Raises:
        UserError: they have none in common, or are the same configuration of the same run.
    """
    if len(first.arms) == len(second.arms) == 1:
        pairs = [(first.arms[0], second.arms[0])]
    elif first.backend and second.backend:
        pairs = [(one, other) for one in first.arms for other in second.arms if one[1] == other[1]]
    else:
        pairs = [(one, other) for one in first.arms for other in second.arms if one == other]
    if not pairs:
        raise UserError(
            f"{first.text} and {second.text} have no configuration in common: {_listed(first)} against "
            f"{_listed(second)}",
            fix="name one of each: RUN:backend/gate",
        )
    if first.story is second.story and any(one == other for one, other in pairs):
        raise UserError(
            f"{first.text} and {second.text} are the same configuration", fix="name two: RUN:torch RUN:mlx"
        )
    return pairs


def _chosen(text: str, story: Story, backend: str | None, gate: str | None) -> Chosen:
    every = [key for key in story.readback.arms if not key[2]]
    for name, known in ((backend, {key[0] for key in every}), (gate, {key[1] for key in every})):
        if name is not None and name not in known:
            raise UserError(f"{text}: the run has no {name!r}", fix=nearest(name, known))
    arms = [key for key in every if (backend or key[0], gate or key[1]) == key[:2]]
    whole = {slot.arm for slot in story.slots}
    measured = tuple(key for key in arms if arm_label(key) in whole)
    if not measured:
        raise UserError(
            f"{text}: no window is whole, so there is nothing to compare", fix="run it again: bench run"
        )
    return Chosen(text=text, story=story, backend=backend, gate=gate, arms=measured)


def _listed(chosen: Chosen) -> str:
    return ", ".join(arm_label(key) for key in chosen.arms)
