"""`flatten`: two neighbours read the same input, side by side, and their MLPs shrink together.

FlattenGPT (Xu et al., arXiv 2602.08858), without training. Layers a and b of a pair run as one:

    y = x + A_a(n_a(x)) + A_b(n_b(x))        z = y + M_a(m_a(y)) + M_b(m_b(y))

each with its own norms and its own cache. Of the units of both MLPs as many stay as `mlp_keep` says: those
that can stand for the rest on a text (`backends.cuts.leverage`). The matrices going out of them are
corrected for what is gone. The two MLPs stay two modules: the bytes are those of one, the kernels those of
two. Every head stays. While the cut is prepared, C takes the square of both MLPs' units in memory.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import numpy as np
from pydantic import model_validator

from backends.added import AddedCut, TextReading
from backends.anatomy import EXPERTS_NAMES, Anatomy, find, layers_of
from backends.base import BackendInfo, ModelError
from backends.cut import GROUP, Fraction
from backends.cuts.calibration import PIECE_TOKENS, Calibrated
from backends.cuts.groups import Pairs, check_layers
from backends.cuts.leverage import Numbers, compensated, largest, leverage, ridge_of
from backends.parts import Parts, slice_units


class Flattened(Calibrated):
    """What is put side by side, and how much of it stays."""

    pairs: Pairs
    """Neighbours, such as [[25, 26], [17, 18]]."""
    mlp_keep: Fraction = 0.5
    """Of the units of both MLPs; a multiple of 64 where they are one."""

    @model_validator(mode="before")
    @classmethod
    def _pairs_alone(cls, given: Any) -> Any:
        return given if isinstance(given, dict | Flattened) else {"pairs": given}


class Flatten(AddedCut):
    """Pairs of layers side by side."""

    def __init__(self, asked: Flattened) -> None:
        self._asked = asked
        self._early = {early for early, _ in asked.pairs}
        self._late = {late for _, late in asked.pairs}
        self.reads_less = asked.mlp_keep < 1

    def check(self, info: BackendInfo) -> None:
        """Refuse layers that the model has not."""
        check_layers("flatten", self._asked.pairs, info)

    def change(self, model: Any, *, parts: Parts, anatomy: Anatomy, info: BackendInfo) -> None:
        """Put the pairs side by side; `fit` shrinks their MLPs."""
        for early, late in self._asked.pairs:
            _put_beside(parts, anatomy, layers_of(model), early, late)

    def fit(self, model: Any, *, parts: Parts, anatomy: Anatomy, reading: TextReading) -> None:
        """Shrink the MLPs of every pair by what the flattened model does on the text."""
        if self._asked.mlp_keep == 1:
            return
        late = [layers_of(model)[late] for _, late in self._asked.pairs]
        merged = [getattr(layer, anatomy.mlp_of(layer)) for layer in late]
        products = _products(parts, anatomy, model, merged, self._asked, reading)
        for both, seen in zip(merged, products, strict=True):
            self._shrink(parts, anatomy, list(both.beside), seen)

    def kept_units(self, layer: int, units: int) -> int:
        """The later layer of a pair has all units of both that stay."""
        if layer in self._early:
            return 0
        return _kept_of(2 * units, self._asked.mlp_keep) if layer in self._late else units

    def kept_share(self, layers: int) -> float | None:
        """Of the MLPs of all layers."""
        return 1 - 2 * len(self._asked.pairs) * (1 - self._asked.mlp_keep) / layers

    def _shrink(self, parts: Parts, anatomy: Anatomy, mlps: Any, seen: Numbers) -> None:
        """Keep some units of two MLPs, and let their outgoing matrices make up for the others."""
        outs = [getattr(mlp, anatomy.mlp_out) for mlp in mlps]
        first, ridge = parts.size(outs[0])[1], ridge_of(seen)
        count = _kept_of(len(seen), self._asked.mlp_keep)
        step = GROUP if count % GROUP == 0 and count > GROUP else 1
        kept = largest(leverage(seen, ridge), count, first=first, step=step)
        made = compensated(np.hstack([parts.numbers(out) for out in outs]), seen, kept, ridge)
        borders = (kept < first, kept >= first)
        for mlp, mine, offset in zip(mlps, borders, (0, first), strict=True):
            slice_units(parts, mlp, anatomy, kept[mine] - offset)
            out = getattr(mlp, anatomy.mlp_out)
            setattr(mlp, anatomy.mlp_out, parts.rewritten(out, made[:, mine]))


def flatten(*, pairs: Flattened) -> AddedCut:
    """Run neighbouring layers side by side, their MLPs shrunk to the size of one (FlattenGPT).

    Args:
        pairs: neighbours, such as [[25, 26]]; or a table of `pairs`, `mlp_keep` (0.5: the units of one MLP
            of two) and `text`, a file to fit on (left out: a text that comes along), whose hash is recorded.
    """
    return Flatten(pairs)


def _kept_of(units: int, share: float) -> int:
    kept = max(2, math.floor(share * units))
    return kept // GROUP * GROUP if units % GROUP == 0 and kept >= 2 * GROUP else kept


def _put_beside(parts: Parts, anatomy: Anatomy, layers: Any, early: int, late: int) -> None:
    """Let the later layer run both; the earlier one gives its input on, and its cache to the later one."""
    first, second = layers[early], layers[late]
    _check_alike(parts, anatomy, first, second, early, late)
    mlp = anatomy.mlp_of(second)
    attention_norm, mlp_norm = str(anatomy.attention_norm), str(anatomy.mlp_norm)
    waiting = parts.waiting(first, anatomy.attention, attention_norm)
    layers[early] = waiting
    for name, norm, others in (
        (anatomy.attention, attention_norm, []),
        (mlp, mlp_norm, [(getattr(first, mlp_norm), getattr(first, mlp))]),
    ):
        pairs = [*others, (getattr(second, norm), getattr(second, name))]
        after = (waiting, attention_norm, anatomy.attention) if name == anatomy.attention else None
        setattr(second, name, parts.beside(pairs, after))
        setattr(second, norm, parts.nothing("norm", getattr(second, norm)))


def _check_alike(parts: Parts, anatomy: Anatomy, first: Any, second: Any, early: int, late: int) -> None:
    """Raise `ModelError` unless both layers are whole, dense, of one kind, with norms of their own."""
    where = f"flatten = [[{early}, {late}]]"
    norms = (anatomy.attention_norm, anatomy.mlp_norm, anatomy.after_attention, anatomy.after_mlp)
    if norms[0] is None or norms[1] is None or any(norms[2:]):
        raise ModelError(
            f"{where}: layers of this type have no norms before attention and MLP, or others behind them",
            fix="leave flatten out for this model",
        )
    for layer in (first, second):
        for name in (anatomy.attention, anatomy.mlp_of(layer)):
            module = getattr(layer, name, None)
            if module is None or find(module, EXPERTS_NAMES) is not None or not list(parts.matrices(module)):
                raise ModelError(
                    f"{where}: a layer has experts, or the same cut leaves a part of it out",
                    fix="flatten whole layers with plain MLPs",
                )
    if _flags(first, anatomy) != _flags(second, anatomy):
        raise ModelError(
            f"{where}: the layers are of two kinds, such as a sliding window and none",
            fix="flatten layers of one kind",
        )


def _flags(layer: Any, anatomy: Anatomy) -> dict[str, Any]:
    """What a layer and its attention say of their kind."""
    return {
        name: value
        for module in (layer, getattr(layer, anatomy.attention))
        for name, value in vars(module).items()
        if isinstance(value, bool | str) or name == "sliding_window"
    }


def _products(
    parts: Parts, anatomy: Anatomy, model: Any, merged: list[Any], asked: Flattened, reading: TextReading
) -> list[Numbers]:
    """C of each pair: products of the activations of all its units, summed over the tokens of the text."""
    noted: list[list[list[Any]]] = [[[], []] for _ in merged]
    sums: list[Numbers] = []
    ids = reading.encode(asked.content())
    longest = min(PIECE_TOKENS, reading.context or PIECE_TOKENS)
    with ExitStack() as taps:
        for both, notes in zip(merged, noted, strict=True):
            for mlp, note in zip(both.beside, notes, strict=True):
                taps.enter_context(parts.tap(mlp, anatomy.mlp_out, note.append, of_input=True))
        for begin in range(0, len(ids), longest):
            reading.run(model, ids[begin : begin + longest])
            for number, notes in enumerate(noted):
                seen = np.hstack([reading.numbers(note.pop())[0] for note in notes]).astype(np.float64)
                product = seen.T @ seen
                sums[number : number + 1] = [product + sums[number] if number < len(sums) else product]
    return sums
