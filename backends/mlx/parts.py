"""The modules of an mlx-lm model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten
from mlx_lm.models.mla import MultiLinear, QuantizedMultiLinear
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear
from numpy.typing import NDArray

from backends.anatomy import HEAD_NAMES, TABLE_NAMES, Heads, decoder_of, find
from backends.base import ModelError
from backends.cut import GROUP
from backends.mlx.bits import MlxHalf, TiedHead
from backends.mlx.cache import PositionOnly, alone
from backends.parts import ALL, Kept, Parts
from backends.shape import Latent

_MATRICES = (nn.Linear, nn.QuantizedLinear, MlxHalf)
_STACKS = (SwitchLinear, QuantizedSwitchLinear, MultiLinear, QuantizedMultiLinear)
"""Matrices of all experts, or of all heads, in one array."""
_TABLES = (nn.Embedding, nn.QuantizedEmbedding)


class MlxParts(Parts):
    """Modules are dictionaries; what a copy shall share with the first model is `shared`, one module."""

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def sharing_copy(self, model: Any) -> Any:
        """New modules around the same arrays."""
        kept = [array for _, array in tree_flatten(model.parameters())]
        return copy.deepcopy(model, {id(thing): thing for thing in [*kept, self._shared]})

    def matrices(self, module: Any) -> Iterator[tuple[Any, str, Any]]:
        """Every matrix inside a module, with its owner and the name it has there."""
        for _, owner in module.named_modules():
            for name, child in owner.items():
                if isinstance(child, _MATRICES):
                    yield owner, name, child

    def size(self, matrix: Any) -> tuple[int, int]:
        """Outputs and inputs of a matrix."""
        outputs, inputs = matrix.weight.shape
        if isinstance(matrix, nn.QuantizedLinear | nn.QuantizedEmbedding):
            inputs = matrix.scales.shape[1] * matrix.group_size
        return outputs, inputs

    def arrays(self, module: Any) -> Iterator[Any]:
        """All arrays of a module."""
        return (array for _, array in tree_flatten(module.parameters()))

    def row_bytes(self, table: Any) -> int:
        """Bytes of one row of an embedding table, of its scales and biases too."""
        return sum(array[0].nbytes for _, array in tree_flatten(table.parameters()))

    def elements(self, module: Any) -> int:
        """Weights of all matrices, the stacked ones of experts and those of convolutions and scans too."""
        alone = (self.size(inside) for _, inside in module.named_modules() if isinstance(inside, _MATRICES))
        stacked = sum(_stacked_elements(m) for m in _stacks(module))
        bare = sum(int(array.size) for array in _bare(module))
        return sum(outputs * inputs for outputs, inputs in alone) + stacked + bare

    def latent(self, attention: Any, heads: Heads) -> Latent | None:
        """Of some types mlx-lm holds latents, to which a single token attends as they are; of others keys."""
        if "embed_q" not in attention:
            return None
        weights = self.elements(attention.embed_q) + self.elements(attention.unembed_out)
        return Latent(weights=weights, products=heads.query * (2 * heads.latent_width + heads.rotary_width))

    def experts(self, module: Any) -> int:
        """How many experts lie in a module that holds them all."""
        return next((int(matrices.weight.shape[0]) for matrices in _stacks(module)), 0)

    def numbers(self, matrix: Any) -> NDArray[np.float64]:
        """The weights of a matrix, (outputs, inputs)."""
        _refuse_quantised(matrix, "this cut")
        return np.array(matrix.weight.astype(mx.float32)).astype(np.float64)

    def sliced(self, matrix: Any, *, rows: Kept = ALL, columns: Kept = ALL) -> Any:
        """The matrix, which is a copy already, with some of its outputs, or some of its inputs."""
        _refuse_quantised(matrix, "mlp_keep")
        outputs, inputs = (kept if isinstance(kept, slice) else mx.array(kept) for kept in (rows, columns))
        # A slice would be a view that keeps the whole matrix alive and strides over it.
        matrix.weight = mx.contiguous(matrix.weight[outputs][:, inputs])
        if "bias" in matrix:
            matrix.bias = mx.contiguous(matrix.bias[outputs])
        mx.eval(matrix.parameters())
        return matrix

    def rewritten(self, matrix: Any, numbers: NDArray[np.float64]) -> Any:
        """A matrix like this one with other weights; its bias is shared."""
        made = nn.Linear(1, 1, bias=False)
        made.weight = mx.array(numbers.astype(np.float32)).astype(matrix.weight.dtype)
        if "bias" in matrix:
            made.bias = matrix.bias
        mx.eval(made.parameters())
        return made

    def few_bits(self, matrix: Any, bits: int) -> Any:
        """The matrix in 16, 8 or 4 bits; its bias is shared."""
        _refuse_quantised(matrix, "weight_bits")
        inputs = matrix.weight.shape[1]
        if bits == 16:
            made = MlxHalf(matrix)
        elif inputs % GROUP:
            raise ModelError(
                f"mlx: weight_bits = {bits} needs matrices with a multiple of {GROUP} inputs, but one has "
                f"{inputs}",
                fix="use 16",
            )
        else:
            made = nn.QuantizedLinear.from_linear(matrix, group_size=GROUP, bits=bits)
        mx.eval(made.parameters())
        return made

    def quantise_head(self, model: Any, bits: int) -> None:
        """Replace the output head, which may be the embedding table, by one of so many bits."""
        decoder = decoder_of(model)
        if find(model, HEAD_NAMES) or find(decoder, HEAD_NAMES):
            super().quantise_head(model, bits)
            return
        name = next(name for name in TABLE_NAMES if name in decoder)
        linear = nn.Linear(1, 1, bias=False)
        linear.weight = decoder[name].weight
        decoder[name] = TiedHead(decoder[name], self.few_bits(linear, bits))

    def nothing(self, what: str, former: Any) -> Any:
        """What stands in for a part that is left out."""
        return nn.Identity() if what == "norm" else MlxNothing(what, former)

    def waiting(self, layer: Any, attention: str, norm: str) -> Any:
        """A block that gives its input on, and remembers its cache for its attention."""
        made = MlxWaiting("block", layer)
        for name in (norm, attention):
            setattr(made, name, getattr(layer, name))
        return made

    def beside(self, pairs: Sequence[tuple[Any, Any]], waiting: tuple[Any, str, str] | None) -> Any:
        """A module that adds what several modules give, each of its own norm of the same input."""
        return MlxBeside(pairs, waiting)

    @contextmanager
    def tap(
        self, owner: Any, name: str | int, note: Callable[[Any], None], *, of_input: bool
    ) -> Iterator[None]:
        """Note what a module of `owner` gives, or gets, for the length of a `with` block."""
        module = owner[name]
        owner[name] = Tap(module, note, of_input=of_input)
        try:
            yield
        finally:
            owner[name] = module

    @contextmanager
    def tap_routes(self, mlp: Any, name: str, note: Callable[[Any], None]) -> Iterator[None]:
        """Note the experts of every forward, the second argument of the module that holds them."""
        module = mlp[name]

        def noting(hidden: Any, experts: Any, *shares: Any) -> Any:
            note(experts)
            return module(hidden, experts, *shares)

        mlp[name] = noting
        try:
            yield
        finally:
            mlp[name] = module


def _stacks(module: Any) -> Iterator[Any]:
    """Matrices that lie in one array of (experts or heads, outputs, inputs)."""
    return (inside for _, inside in module.named_modules() if isinstance(inside, _STACKS))


def _bare(module: Any) -> Iterator[Any]:
    """Arrays of several dimensions in no matrix: the kernel of a convolution, the rates of a scan."""
    return (
        array
        for _, inside in module.named_modules()
        if not isinstance(inside, (*_MATRICES, *_STACKS, *_TABLES))
        for array in inside.values()
        if isinstance(array, mx.array) and array.ndim > 1
    )


def _stacked_elements(matrices: Any) -> int:
    if isinstance(matrices, QuantizedSwitchLinear | QuantizedMultiLinear):
        return int(matrices.scales.size) * int(matrices.group_size)
    return int(matrices.weight.size)


def _refuse_quantised(matrix: Any, what: str) -> None:
    """Weights that came quantised are measured as they are: a part of them would be another rounding."""
    if isinstance(matrix, nn.QuantizedLinear | nn.QuantizedEmbedding):
        raise ModelError(
            f"mlx: {what} needs whole weights, but these came in {matrix.bits} bits",
            fix="give the folder of the full weights",
        )


class MlxNothing(nn.Module):  # type: ignore[misc]
    """A part that is left out; the cache of an attention counts positions only."""

    def __init__(self, what: str, former: Any) -> None:
        super().__init__()
        self._is_block = what == "block"
        # Models with sliding windows choose the mask of a layer by such flags, or by those of its attention.
        for name, value in vars(former).items():
            if isinstance(value, bool | str) and not name.startswith("_"):
                setattr(self, name, value)
        for name, part in former.children().items() if self._is_block else ():
            if isinstance(part, nn.Module):
                setattr(self, name, MlxNothing("part", part))

    def __call__(self, hidden: Any, *arguments: Any, **options: Any) -> Any:
        """A block gives its input; other parts have nothing to add to the residual stream."""
        for cache in alone((*arguments, *options.values())):
            if isinstance(cache, PositionOnly):
                cache.offset += hidden.shape[1]
        added = hidden if self._is_block else mx.zeros_like(hidden)
        if "shared_kv" in options:  # keys and values of another layer go on to those that read them
            return added, options["shared_kv"], options["offset"]
        return added


class MlxWaiting(MlxNothing):
    """A block whose attention a later layer runs, with the cache that this one is given."""

    _cache: Any = None

    def __call__(self, hidden: Any, *arguments: Any, **options: Any) -> Any:
        """The input."""
        self._cache = next((one for one in (*arguments, *options.values()) if _is_cache(one)), None)
        return hidden

    def take_cache(self) -> Any:
        """The cache of this forward; it is forgotten here, so that nothing keeps it alive."""
        cache, self._cache = self._cache, None
        return cache


class MlxBeside(nn.Module):  # type: ignore[misc]
    """Several modules with the same input, each behind its norm; what they give is added."""

    def __init__(self, pairs: Sequence[tuple[Any, Any]], waiting: tuple[Any, str, str] | None) -> None:
        super().__init__()
        self.norms = [norm for norm, _ in pairs]
        self.beside = [module for _, module in pairs]
        self._waiting = waiting  # by an underscore, as it is a part of its own layer

    def __call__(self, hidden: Any, *arguments: Any, **options: Any) -> Any:
        """Takes what the modules take."""
        given = []
        if self._waiting is not None:
            block, norm, name = self._waiting
            cache = block.take_cache()
            early = [cache if _is_cache(one) else one for one in arguments]
            named = {key: cache if _is_cache(one) else one for key, one in options.items()}
            given.append(getattr(block, name)(getattr(block, norm)(hidden), *early, **named))
        for norm, module in zip(self.norms, self.beside, strict=True):
            given.append(module(norm(hidden), *arguments, **options))
        return sum(given[1:], given[0])


def _is_cache(given: Any) -> bool:
    return hasattr(given, "update_and_fetch")


class Tap:
    """Stands in front of a module and notes what it gives, or gets."""

    def __init__(self, module: Any, note: Callable[[Any], None], *, of_input: bool) -> None:
        self._module = module
        self._note = note
        self._of_input = of_input

    def __call__(self, hidden: Any, *arguments: Any, **options: Any) -> Any:
        """What the module gives."""
        output = self._module(hidden, *arguments, **options)
        given = output[0] if isinstance(output, tuple) else output
        self._note(hidden if self._of_input else given)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
