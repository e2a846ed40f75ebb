"""A model under a cut: made step by step, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.added import TextReading
from backends.anatomy import ANATOMIES, WITH_STATE, Anatomy, experts_per_token, heads_of
from backends.base import BackendInfo
from backends.cut import Cut
from backends.folder import NUMBER_BYTES, ModelFolder
from backends.parts import Parts, count_shape, make_cut, round_weights
from backends.shape import Shape


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


def counted(
    parts: Parts, model: Any, folder: ModelFolder, *, dtype: str, windows: Sequence[int | None]
) -> Shape | None:
    """What a forward of a model reads and multiplies; None where nobody knows where it keeps its parts.

    Args:
        parts: The library of the model.
        model: Whole, or with parts left out.
        folder: That it was loaded from.
        dtype: Of a number in its cache.
        windows: Positions that each layer's attention sees at most; None for all.
    """
    anatomy = (ANATOMIES | WITH_STATE).get(folder.architecture)
    if anatomy is None or not anatomy.counted or (folder.quantised and not folder.is_mlx_quantised):
        return None
    return count_shape(
        parts,
        model,
        anatomy,
        heads=heads_of(folder),
        number_bytes=NUMBER_BYTES[dtype],
        windows=windows,
        routed=experts_per_token(folder),
    )
