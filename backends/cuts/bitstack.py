"""`bitstack`: matrices rebuilt from as much of a stack of blocks as a number of bits a weight pays for.

After BitStack (Wang et al., arXiv 2410.23918), whose stack lies on a disk and is loaded as memory allows.
**Memory only**: the matrices are rebuilt when the cut is prepared, so a forward reads whole weights and saves
nothing; rebuilding in every forward without a kernel of its own would read more than the whole weights.

The stack holds the first block of every matrix, then the second of every matrix, and so on
(`backends.cuts.sign_blocks`). Of the last blocks that are begun, those come first that take away most of
the squared error of their matrix per bit; the paper orders them by perplexity, with a forward over a text
for each. Its scaling by the activations, which is optional, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from backends.added import AddedCut
from backends.anatomy import EXPERTS_NAMES, Anatomy, find, layers_of
from backends.base import BackendInfo, ModelError
from backends.cuts.sign_blocks import MOST_BLOCKS, SignBlock, bits_of, block_of
from backends.parts import Parts


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A block on the last level, which perhaps not every matrix gets."""

    owner: Any
    name: str
    block: SignBlock
    bits: int
    gain: float
    """Squared error of the matrix that it takes away."""


class BitStack(AddedCut):
    """Matrices of all layers as sums of blocks."""

    reads_less = False

    def __init__(self, bits: float) -> None:
        self._bits = bits

    def change(self, model: Any, *, parts: Parts, anatomy: Anatomy, info: BackendInfo) -> None:
        """Rebuild every matrix of the layers."""
        matrices = _matrices(parts, anatomy, model)
        sizes = [parts.size(matrix) for *_, matrix in matrices]
        budget, level = self._budget(sizes)
        begun = [_rebuild(parts, *one, blocks=level, begin=level < MOST_BLOCKS) for one in matrices]
        left = budget - level * sum(bits_of(*size) for size in sizes)
        for one in sorted((b for b in begun if b), key=lambda b: -b.gain / b.bits):
            left -= one.bits
            if left < 0:
                return  # a stack is loaded from its beginning; what does not fit ends it
            matrix = getattr(one.owner, one.name)
            setattr(one.owner, one.name, parts.rewritten(matrix, parts.numbers(matrix) + one.block.weights()))

    def _budget(self, sizes: list[tuple[int, int]]) -> tuple[int, int]:
        """Bits to spend, and the blocks that every matrix gets for them.

        Raises:
            ModelError: they do not pay for one block of each.
        """
        weights = sum(outputs * inputs for outputs, inputs in sizes)
        once = sum(bits_of(*size) for size in sizes)
        budget = int(self._bits * weights)
        if budget < once:
            raise ModelError(
                f"bitstack = {self._bits:g} bits a weight, but one block of each matrix takes "
                f"{once / weights:.2f}",
                fix=f"give at least {once / weights + 0.005:.2f}",
            )
        return budget, min(MOST_BLOCKS, budget // once)


def bitstack(*, bits: Annotated[float, Field(gt=0, le=64)]) -> AddedCut:
    """Rebuild the matrices from a stack of blocks of signs and vectors (BitStack): memory only.

    Args:
        bits: of the stack a weight of the layers' matrices, such as 3.5; what is read stays the same.
    """
    return BitStack(bits)


def _matrices(parts: Parts, anatomy: Anatomy, model: Any) -> list[tuple[Any, str, Any]]:
    """Every matrix of the layers, with its owner and the name it has there."""
    layers = layers_of(model)
    for layer in layers:
        if find(getattr(layer, anatomy.mlp_of(layer), None), EXPERTS_NAMES) is not None:
            raise ModelError(
                "bitstack rebuilds matrices one by one, but this model has experts, whose lie in one array",
                fix="leave bitstack out for this model",
            )
    return [one for layer in layers for one in parts.matrices(layer)]


def _rebuild(parts: Parts, owner: Any, name: str, matrix: Any, *, blocks: int, begin: bool) -> Begun | None:
    """Put so many blocks in the place of a matrix; the next one too, if it is to be begun."""
    whole = parts.numbers(matrix).astype(np.float32)
    rest = whole.copy()
    for _ in range(blocks):
        rest -= block_of(rest).weights()
    setattr(owner, name, parts.rewritten(matrix, (whole - rest).astype(np.float64)))
    if not begin:
        return None
    block = block_of(rest)
    gain = float((rest**2).sum() - ((rest - block.weights()) ** 2).sum())
    return Begun(owner=owner, name=name, block=block, bits=bits_of(*whole.shape), gain=gain)
