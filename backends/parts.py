"""The modules of a model, and what is left out of them. What differs is made anew, everything else is shared.

`Parts` is how a library spells its modules; the rest is the same for all of them, because they use the names
of the checkpoints (`backends.anatomy`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backends.anatomy import (
    EXPERTS_NAMES,
    HEAD_NAMES,
    Anatomy,
    Heads,
    decoder_of,
    find,
    layers_of,
)
from backends.base import ModelError
from backends.cut import FULL, Cut
from backends.shape import Latent
from backends.units import kept_units, unit_norms

Kept = NDArray[np.int64] | slice
ALL = slice(None)


class Parts(ABC):
    """How a library spells the modules of a model. A matrix is (outputs, inputs), however it is stored."""

    @abstractmethod
    def sharing_copy(self, model: Any) -> Any:
        """New modules around the same weights."""

    @abstractmethod
    def matrices(self, module: Any) -> Iterable[tuple[Any, str, Any]]:
        """Every matrix inside a module, with its owner and the name it has there."""

    @abstractmethod
    def size(self, matrix: Any) -> tuple[int, int]:
        """Outputs and inputs of a matrix."""

    @abstractmethod
    def arrays(self, module: Any) -> Iterable[Any]:
        """All arrays of weights in a module, scales of quantised matrices too; one may come twice."""

    def weight_bytes(self, *modules: Any) -> int:
        """Bytes of all that modules hold; an array that is in several places counts once."""
        once = {id(array): array for module in modules for array in self.arrays(module)}
        return sum(int(array.nbytes) for array in once.values())

    def row_bytes(self, table: Any) -> int:
        """Bytes of one row of an embedding table."""
        return int(table.weight[0].nbytes)

    @abstractmethod
    def elements(self, module: Any) -> int:
        """Weights of all matrices in a module, of stacked ones and of a router's too."""

    @abstractmethod
    def latent(self, attention: Any, heads: Heads) -> Latent | None:
        """What a forward makes of latents in the cache; None: keys and values by head are held."""

    @abstractmethod
    def experts(self, module: Any) -> int:
        """How many experts lie in a module that holds them all."""

    @abstractmethod
    def numbers(self, matrix: Any) -> NDArray[np.float64]:
        """The weights of a matrix, (outputs, inputs)."""

    @abstractmethod
    def sliced(self, matrix: Any, *, rows: Kept = ALL, columns: Kept = ALL) -> Any:
        """A copy of a matrix of `make_cut`'s model with some of its outputs, or some of its inputs."""

    @abstractmethod
    def rewritten(self, matrix: Any, numbers: NDArray[np.float64]) -> Any:
        """A matrix like this one with other weights, (outputs, inputs); its bias is shared."""

    @abstractmethod
    def few_bits(self, matrix: Any, bits: int) -> Any:
        """The matrix in 16, 8 or 4 bits; its bias is shared.

        Raises:
            ModelError: The device or the shape of the matrix does not allow it.
        """

    @abstractmethod
    def nothing(self, what: str, former: Any) -> Any:
        """What stands in for a part that is left out: `attention`, `mlp`, `norm` or `block`."""

    @abstractmethod
    def waiting(self, layer: Any, attention: str, norm: str) -> Any:
        """A block that gives its input on, and holds the attention and its norm for a later layer to run."""

    @abstractmethod
    def beside(self, pairs: Sequence[tuple[Any, Any]], waiting: tuple[Any, str, str] | None) -> Any:
        """A module that adds what several give, each of its own norm of the same input.

        Args:
            pairs: Norms and modules; the latter are `beside` of what is made.
            waiting: A block and its norm's and attention's names, which run first, with that block's cache.
        """

    @abstractmethod
    def tap(
        self, owner: Any, name: str | int, note: Callable[[Any], None], *, of_input: bool
    ) -> AbstractContextManager[None]:
        """Note what a module of `owner` gives, or gets, for the length of a `with` block."""

    @abstractmethod
    def tap_routes(self, mlp: Any, name: str, note: Callable[[Any], None]) -> AbstractContextManager[None]:
        """Note the numbers of the experts that each forward sends its tokens to, for a `with` block.

        `name` is what the module that holds the experts is called in the `mlp` of a layer.
        """

    def quantise_head(self, model: Any, bits: int) -> None:
        """Replace the output head by one of so many bits."""
        owner, name = next(
            (owner, name)
            for owner in (model, decoder_of(model))
            for name in HEAD_NAMES
            if hasattr(owner, name)
        )
        setattr(owner, name, self.few_bits(getattr(owner, name), bits))


def make_cut(parts: Parts, model: Any, anatomy: Anatomy, cut: Cut) -> Any:
    """A second model that leaves out what `cut` says and shares all other weights with `model`."""
    made = parts.sharing_copy(model)
    layers = layers_of(made)
    _check_there(layers, anatomy, cut)
    for number, layer in enumerate(layers):
        _check_one_by_one(parts, layer, anatomy, cut, number)
        if number in cut.drop_blocks:
            layers[number] = parts.nothing("block", layer)
            continue
        if number in cut.drop_attention:
            leave_out(parts, layer, "attention", anatomy)
        if number in cut.drop_mlp:
            leave_out(parts, layer, "mlp", anatomy)
        else:
            _slice_mlp(parts, getattr(layer, anatomy.mlp_of(layer), None), anatomy, cut, number)
    return made


def round_weights(parts: Parts, model: Any, bits: int | None) -> None:
    """Round the matrices of the layers and the head of `make_cut`'s model; None leaves them as they are."""
    if bits is None:
        return
    rounded: dict[int, tuple[Any, Any]] = {}  # by the matrix, which is kept so that no other takes its id
    for layer in layers_of(model):
        for owner, name, matrix in list(parts.matrices(layer)):
            if id(matrix) not in rounded:
                rounded[id(matrix)] = matrix, parts.few_bits(matrix, bits)
            setattr(owner, name, rounded[id(matrix)][1])
    parts.quantise_head(model, bits)


def leave_out(parts: Parts, layer: Any, what: Literal["attention", "mlp"], anatomy: Anatomy) -> None:
    """Replace a module of a layer by nothing, and the norm that only it reads."""
    if what == "mlp":
        name, norm = anatomy.mlp_of(layer), anatomy.mlp_norm
    else:
        name, norm = anatomy.attention, anatomy.attention_norm
    setattr(layer, name, parts.nothing(what, getattr(layer, name)))
    if norm is not None:
        setattr(layer, norm, parts.nothing("norm", getattr(layer, norm)))


def one_by_one(parts: Parts, module: Any) -> bool:
    """Whether each matrix of a module is one of its own, and none lies with others in one array."""
    sizes = (parts.size(matrix) for *_, matrix in parts.matrices(module))
    return parts.elements(module) == sum(outputs * inputs for outputs, inputs in sizes)


def _check_there(layers: Any, anatomy: Anatomy, cut: Cut) -> None:
    """Raise `ModelError` for a cut of what a layer, or every layer, does not have."""
    for key, what, has in (
        ("drop_attention", "attention", [hasattr(layer, anatomy.attention) for layer in layers]),
        ("drop_mlp", "MLP", [hasattr(layer, anatomy.mlp_of(layer)) for layer in layers]),
    ):
        for number in (number for number in getattr(cut, key) if not has[number]):
            raise ModelError(
                f"{key} names layer {number}, which has no {what}",
                fix="leave out another layer" if any(has) else "drop_blocks leaves out all of a layer",
            )
    if cut.mlp_keep < 1 and not any(has):
        raise ModelError("mlp_keep keeps a part of every MLP, but no layer has one", fix="leave it out")


def _check_one_by_one(parts: Parts, layer: Any, anatomy: Anatomy, cut: Cut, number: int) -> None:
    """Raise `ModelError` for a cut inside matrices of a layer that lie in one array: of experts, or heads."""
    beside = find(layer, EXPERTS_NAMES) is not None
    mlp, attention = (getattr(layer, name, None) for name in (anatomy.mlp_of(layer), anatomy.attention))
    keys = ("mlp_keep", "weight_bits", "drop_mlp")[: 3 if beside else 2]
    inside = [key for key in keys if getattr(cut, key) != getattr(FULL, key)]
    if inside and (beside or find(mlp, EXPERTS_NAMES) is not None):
        where = "beside it" if beside else "instead"
        what = f"{' and '.join(inside)} cuts the matrices of an MLP, but layer {number} has experts {where}"
        raise ModelError(what, fix="drop_attention and drop_blocks work")
    if cut.weight_bits is not None and attention is not None and not one_by_one(parts, attention):
        raise ModelError(
            f"weight_bits rounds every matrix, but layer {number} has those of all its heads in one array",
            fix="leave it out",
        )


def _slice_mlp(parts: Parts, mlp: Any, anatomy: Anatomy, cut: Cut, number: int) -> None:
    """Keep the units that `cut` keeps."""
    if cut.mlp_keep == 1 or not hasattr(mlp, anatomy.mlp_out):  # the checkpoint itself leaves it out
        return
    ins = {name: getattr(mlp, name) for name in anatomy.mlp_ins}
    out = getattr(mlp, anatomy.mlp_out)
    units = parts.size(out)[1]
    if cut.kept_units(units) == units:
        return

    def norms() -> NDArray[np.float64]:
        stacks = (np.split(parts.numbers(matrix), anatomy.stacked) for matrix in ins.values())
        return unit_norms([matrix for stack in stacks for matrix in stack], parts.numbers(out))

    slice_units(parts, mlp, anatomy, kept_units(cut, number, units, norms))


def slice_units(parts: Parts, mlp: Any, anatomy: Anatomy, kept: Kept) -> None:
    """Keep some units of an MLP: rows of the matrices going in, columns of the one going out, copied."""
    out = getattr(mlp, anatomy.mlp_out)
    units, rows = parts.size(out)[1], kept
    if anatomy.stacked > 1:
        every = np.arange(units)[kept]
        rows = np.concatenate([every + units * which for which in range(anatomy.stacked)])
    for name in anatomy.mlp_ins:
        setattr(mlp, name, parts.sliced(getattr(mlp, name), rows=rows))
    setattr(mlp, anatomy.mlp_out, parts.sliced(out, columns=kept))
