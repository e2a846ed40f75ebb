"""The answers that `bench init` needs. Loads nothing heavy: somebody waits for the next question."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from bench.errors import UserError, nearest

Question = Literal["cost", "gate", "backend", "cut"]

QUESTIONS: dict[Question, str] = {
    "cost": "What does my model cost?",
    "gate": "Is this gate's saving real?",
    "backend": "Which backend is cheaper?",
    "cut": "What does a cut cost, in joules and in answers?",
}


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the user wants."""

    model: str
    question: Question
    minutes: float


def checked_question(text: str) -> Question:
    """The question of that name.

    Raises:
        UserError: there is none.
    """
    for question in get_args(Question):
        if text == question:
            return question  # type: ignore[no-any-return]
    raise UserError(f"unknown --question {text!r}", fix=nearest(text, QUESTIONS))


def checked_minutes(text: str) -> float:
    """A number of minutes above zero.

    Raises:
        UserError: it is none.
    """
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise UserError(f"--minutes {text} is no time", fix="give a number of minutes, such as 60")
    return minutes
