"""A model under a cut, made step by step."""

from __future__ import annotations

from typing import Any

from backends.added import TextReading
from backends.anatomy import Anatomy
from backends.base import BackendInfo
from backends.cut import Cut
from backends.parts import Parts, make_cut, round_weights


def make(
    parts: Parts, model: Any, anatomy: Anatomy, cut: Cut, info: BackendInfo, reading: TextReading
) -> Any:
    """A second model that leaves out what `cut` says: dropped and sliced, changed, fitted, then rounded.

    Args:
        parts: The library of the model.
        model: Whole; what does not differ is shared with it.
        anatomy: Where its layers keep what.
        cut: What is left out.
        info: Of the model.
        reading: For cuts that are fitted to a text.

    Raises:
        ModelError: The model can't have the cut.
        RequestError: The text of the cut can't be read.
    """
    made = make_cut(parts, model, anatomy, cut)
    for part in cut.added:
        part.change(made, parts=parts, anatomy=anatomy, info=info)
        part.fit(made, parts=parts, anatomy=anatomy, reading=reading)
    round_weights(parts, made, cut.weight_bits)
    return made
