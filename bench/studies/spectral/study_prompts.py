"""The prompts of the three arms of a spectral study.

published   ten prompts, the list repeated 40 times, as in the paper: 400 rows and at most ten points
distinct    every prompt of the sets, once
powered     a thousand or more, put together at random from the sets' sentences: half of them of
            natural length, half cut to one length, so that length can't stand in for lambda2
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import UserError, nearest
from bench.suite.gates.fingerprint import connectivity, residue, sum_of_squares
from bench.suite.prompts import load_prompts

ArmName = Literal["published", "distinct", "powered"]
ARMS: tuple[ArmName, ...] = ("published", "distinct", "powered")

SETS = ("mixed", "short_questions")
PUBLISHED_DEFINED, PUBLISHED_UNDEFINED, PUBLISHED_REPEATS = 5, 5, 40
PUBLISHED_TOKENS = 20
"""Fewest tokens of the ten."""
POWERED_PROMPTS = 1000
FIXED_TOKENS = 48
"""Of the half that is cut: short enough for a small machine, four times the eleven that are needed."""
SENTENCES = (2, 6)
"""Fewest and most sentences of a prompt of natural length."""
FIXED_SENTENCES = 12
"""Enough for `FIXED_TOKENS` tokens of any tokenizer."""


@dataclass(frozen=True, kw_only=True)
class SpectralPrompt:
    """A prompt, perhaps to be cut."""

    id: str
    text: str
    tokens: int | None = None
    """Keep only so many tokens from the front; a prompt that has fewer is left out. None keeps all."""


def check_arms(names: Sequence[str]) -> list[ArmName]:
    """These names as arms.

    Raises:
        UserError: one is not an arm.
    """
    for name in names:
        if name not in ARMS:
            raise UserError(f"unknown set of prompts {name!r}", fix=nearest(name, ARMS))
    return [arm for arm in ARMS if arm in names]


def arm_prompts(arm: ArmName, *, count: int = POWERED_PROMPTS, seed: int = 0) -> list[SpectralPrompt]:
    """The distinct prompts of an arm; the published one takes ten of these, each 40 times.

    Args:
        arm: which.
        count: of the powered arm.
        seed: of the powered arm.

    Raises:
        UserError: fewer than two prompts.
    """
    if arm == "powered":
        return generated(count, seed=seed)
    chosen = [
        SpectralPrompt(id=prompt.id, text=prompt.text)
        for name in SETS
        for prompt in load_prompts(name, beside=Path()).prompts
    ]
    return chosen


def as_published(prompts: Sequence[SpectralPrompt], ids: Mapping[str, Sequence[int]]) -> list[SpectralPrompt]:
    """The first ten prompts that make a table like the paper's: five with a defined lambda2, five without.

    The choice looks at token ids only, so it can't favour any outcome.
    """
    long = [prompt for prompt in prompts if len(ids[prompt.id]) >= PUBLISHED_TOKENS]
    defined = {p.id: connectivity(residue(sum_of_squares(ids[p.id]))) is not None for p in long}
    with_lambda2 = [p for p in long if defined[p.id]][:PUBLISHED_DEFINED]
    return with_lambda2 + [p for p in long if not defined[p.id]][:PUBLISHED_UNDEFINED]


def generated(count: int, *, seed: int = 0) -> list[SpectralPrompt]:
    """So many distinct prompts of random sentences, the same ones for the same seed.

    Raises:
        UserError: fewer than two were asked for.
    """
    if count < 2:
        raise UserError(
            f"prompts = {count}: a correlation needs many", fix=f"the default is {POWERED_PROMPTS}"
        )
    chance, pool = random.Random(seed), sentences()
    texts: dict[str, bool] = {}
    while len(texts) < count:
        fixed = len(texts) % 2 == 1
        number = FIXED_SENTENCES if fixed else chance.randint(*SENTENCES)
        texts.setdefault(" ".join(chance.sample(pool, number)), fixed)
    return [
        SpectralPrompt(id=f"powered-{i:05d}", text=text, tokens=FIXED_TOKENS if fixed else None)
        for i, (text, fixed) in enumerate(texts.items(), start=1)
    ]


def sentences() -> Sequence[str]:
    """The distinct sentences of the prompt sets that come along, of four words or more."""
    texts = [prompt.text for name in SETS for prompt in load_prompts(name, beside=Path()).prompts]
    distinct = dict.fromkeys(s.strip() for text in texts for s in re.split(r"(?<=[.!?])\s+|\n+", text))
    return [sentence for sentence in distinct if 4 <= len(sentence.split()) <= 40]
