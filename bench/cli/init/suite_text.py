"""A suite as a file that explains itself: what `bench init` writes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import tomlkit

from bench.cli.init.answers import Question
from energy.cadence import USUAL_S

_WIDTH = 100
_COLUMN = 28
"""Where the comment beside a value begins."""

_GATES: Mapping[Question, str] = {
    "cost": "",
    "gate": """
[gates.norm_fraction]       # the gate in question; put your own here, `bench doctor --plugins` lists them
threshold = 0.3             # to the small model from here on, as published

[gates.random]              # control: the same number of prompts to the small model, by chance
matches = "norm_fraction"   # a gate that does no better than this knows nothing of its prompts
""",
    "backend": """
# No gate: the backends are compared.
""",
    "cut": """
[gates.bits_8]              # the cut in question: weights held and read in 8 bits
plugin = "constant"         # the same for every prompt; `bench quality` says what it costs in quality
budget = { cut = { weight_bits = 8 } }
""",
}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a suite is made of; seconds, and counts."""

    name: str
    heading: tuple[str, ...]
    """Paragraphs at the top of the file."""
    question: Question | None
    """None: only the ungated arm, twice."""
    model: str
    small_layers: int | None
    """Layers of the model that a gate routes to; None where there is none."""
    backends: tuple[str, ...]
    prompts: int
    max_new_tokens: int
    blocks: int
    window_s: float
    idle_s: float
    cool_down_s: float
    self_test_s: float
    warm_up_s: float = 30.0
    cool_down_limit_s: float = 120.0
    threshold: float = 0.02
    reading_s: float = USUAL_S

    @property
    def gates(self) -> int:
        """That are held against the ungated arm of each backend."""
        return {"cost": 0, "gate": 2, "backend": 0, "cut": 1}[self.question] if self.question else 0

    @property
    def comparisons(self) -> int:
        """Of gates with their backend's baseline, and of backends with the first."""
        return len(self.backends) * (1 + self.gates) - 1

    @property
    def arms(self) -> int:
        """Backend by gate, the A/A arms included."""
        return len(self.backends) * (2 + self.gates)

    @property
    def least_s(self) -> float:
        """Seconds of a run at least: loading, and passes longer than a window, come on top."""
        slots = 2 * self.arms * self.blocks
        return slots * (self.window_s + self.cool_down_s) + (self.blocks + 1) * self.idle_s


def to_toml(draft: Draft) -> str:
    """The file."""
    parts = [_heading(draft), _top(draft), _models(draft), _work(draft), "[gates.ungated]\n"]
    gates = _GATES[draft.question] if draft.question else ""
    return "\n".join([*parts, *([gates.strip("\n") + "\n"] if gates else []), _protocol(draft), _energy()])


def _heading(draft: Draft) -> str:
    wrapped = (
        textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False, break_long_words=False)
        for text in draft.heading
    )
    return "\n#\n".join("\n".join(f"# {line}" for line in lines) for lines in wrapped) + "\n"


def _top(draft: Draft) -> str:
    return _table(
        None,
        ("name", draft.name, "in the name of every run folder"),
        ("seed", 1, "decides the order of the windows"),
        ("backends", list(draft.backends), "what runs the model"),
    )


def _models(draft: Draft) -> str:
    full = _table("models.full", ("name", draft.model, "a name of `bench models`, a hub id, a path"))
    if draft.small_layers is None:
        return full
    small = _table(
        "models.small",
        ("name", draft.model, "the same weights with fewer layers: needs no second download"),
        ("layers", draft.small_layers, "a third of them; a model made small answers better"),
    )
    return f"{full}\n{small}"


def _work(draft: Draft) -> str:
    prompts = _table(
        "prompts",
        ("file", "short_questions", "50 questions that come along; a JSONL file works too"),
        ("limit", draft.prompts, "the first so many: a window holds whole repeats over them"),
    )
    generation = _table(
        "generation",
        ("max_new_tokens", draft.max_new_tokens, "tokens; each answer has exactly so many"),
        ("ignore_eos", True, "false: stop where the model stops"),
    )
    return f"{prompts}\n{generation}"


def _protocol(draft: Draft) -> str:
    short = "" if draft.window_s >= 60 else ", and a claim needs 60"
    return _table(
        "protocol",
        (
            "blocks",
            draft.blocks,
            "each holds every configuration twice; the unit of statistics, a claim needs 5",
        ),
        *_written_for(draft),
        *([] if draft.question else [("latency_prompts", 0, "a pilot asks for joules and seconds alone")]),
        ("min_window_s", draft.window_s, f"seconds of a window at least{short}"),
        ("idle_s", round(draft.idle_s, 1), "seconds of idle before, between and after the blocks"),
        ("cool_down_s", draft.cool_down_s, "seconds of rest before a window, at least"),
        ("cool_down_limit_s", draft.cool_down_limit_s, "seconds to wait for a cool machine, at most"),
        ("self_test_s", draft.self_test_s, "seconds of each load of the meter's self-test"),
        ("warm_up_s", draft.warm_up_s, "seconds of warming up, at most"),
        ("threshold", draft.threshold, "a saving or a cost is one if its whole interval lies beyond it"),
        ("a_a", True, "the baseline twice: its difference is the noise"),
    )


def _written_for(draft: Draft) -> list[tuple[str, object, str]]:
    """The cadence of a slow meter, with room for what it varies by."""
    if draft.reading_s <= USUAL_S:
        return []
    reading_s = math.ceil(110 * draft.reading_s) / 100
    return [("reading_s", reading_s, "seconds between readings that these lengths are for")]


def _energy() -> str:
    return _table("energy", ("source", "auto", "the best meter of this machine; `bench doctor` says which"))


def _table(name: str | None, *rows: tuple[str, object, str]) -> str:
    """A table of keys, values and what each means; the top of the file without a name."""
    table = tomlkit.document() if name is None else tomlkit.table()
    for key, value, comment in rows:
        stated = tomlkit.item(value)
        stated.comment(comment)
        stated.trivia.comment_ws = " " * max(2, _COLUMN - len(f"{key} = {stated.as_string()}"))
        table.add(key, stated)
    for part in reversed(name.split(".") if name else []):
        above = tomlkit.table(is_super_table=True)
        above.add(part, table)
        table = above
    return table.as_string()
