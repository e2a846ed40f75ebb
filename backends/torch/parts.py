"""The modules of a transformers model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from backends.anatomy import Heads
from backends.parts import ALL, Kept, Parts
from backends.shape import Latent
from backends.torch.bits import EightBits, FewBits, FourBits, TorchHalf, rows_of


class TorchParts(Parts):
    """GPT-2 keeps its matrices in `Conv1D`, the other way round; `rows_of` turns them."""

    def sharing_copy(self, model: Any) -> Any:
        """New modules around the same tensors."""
        shared = chain(model.parameters(), model.buffers(), [model.config])
        return copy.deepcopy(model, {id(thing): thing for thing in shared})

    def matrices(self, module: nn.Module) -> Iterator[tuple[Any, str, Any]]:
        """Every matrix inside a module, with its owner and the name it has there."""
        for owner in module.modules():
            for name, child in owner.named_children():
                if isinstance(child, nn.Linear | Conv1D | FewBits):
                    yield owner, name, child

    def size(self, matrix: nn.Module) -> tuple[int, int]:
        """Outputs and inputs of a matrix."""
        if isinstance(matrix, FewBits):
            return matrix.outputs, matrix.inputs
        outputs, inputs = rows_of(matrix).shape
        return outputs, inputs

    def arrays(self, module: nn.Module) -> Iterator[Tensor]:
        """All parameters and buffers of a module."""
        return chain(module.parameters(), module.buffers())

    def elements(self, module: nn.Module) -> int:
        """Weights of all matrices; a router and experts keep theirs without a module of their own."""
        few = sum(
            outputs * inputs
            for _, _, m in self.matrices(module)
            if isinstance(m, FewBits)
            for outputs, inputs in [self.size(m)]
        )
        named = ((name, weight) for name, weight in module.named_parameters() if weight.dim() > 1)
        return few + sum(weight.numel() for name, weight in named if not name.endswith("bias"))

    def latent(self, attention: Any, heads: Heads) -> Latent | None:
        """Keys and values of all positions are made in every forward, by the module that can do it."""
        if not hasattr(attention, "expand_kv"):
            return None
        return Latent(weights=self.elements(attention.kv_b_proj), products=None)

    def experts(self, module: Any) -> int:
        """How many experts lie in a module that holds them all."""
        return int(next(weight.shape[0] for weight in module.parameters() if weight.dim() == 3))

    def numbers(self, matrix: nn.Module) -> NDArray[np.float64]:
        """The weights of a matrix, (outputs, inputs)."""
        return rows_of(matrix).detach().cpu().double().numpy()

    def sliced(self, matrix: Any, *, rows: Kept = ALL, columns: Kept = ALL) -> Any:
        """A copy of a matrix, contiguous, with some of its outputs, or some of its inputs."""
        rows, columns = (_index(kept, matrix.weight.device) for kept in (rows, columns))
        kept = rows_of(matrix)[rows][:, columns]
        stored = kept.T if isinstance(matrix, Conv1D) else kept
        made = copy.copy(matrix)
        made._parameters = {}
        made.weight = _frozen(stored)
        made.bias = None if matrix.bias is None else _frozen(matrix.bias[rows])
        if isinstance(made, Conv1D):
            made.nx, made.nf = stored.shape
        else:
            made.out_features, made.in_features = stored.shape
        return made

    def rewritten(self, matrix: Any, numbers: NDArray[np.float64]) -> Any:
        """A matrix like this one with other weights; its bias is shared."""
        weight = torch.from_numpy(numbers).to(matrix.weight.dtype).to(matrix.weight.device)
        made = copy.copy(matrix)
        made._parameters = dict(matrix._parameters)
        made.weight = _frozen(weight.T if isinstance(matrix, Conv1D) else weight)
        return made

    def few_bits(self, matrix: Any, bits: int) -> Any:
        """The matrix in 16, 8 or 4 bits; its bias is shared."""
        made = {16: TorchHalf, 8: EightBits, 4: FourBits}[bits](rows_of(matrix).detach())
        made.bias = matrix.bias
        return made

    def nothing(self, what: str, former: Any) -> nn.Module:
        """What stands in for a part that is left out."""
        return nn.Identity() if what == "norm" else TorchNothing(what)

    def waiting(self, layer: Any, attention: str, norm: str) -> nn.Module:
        """A block that gives its input on; the attention knows its own place in the cache."""
        made = TorchNothing("block")
        for name in (norm, attention):
            setattr(made, name, getattr(layer, name))
        return made

    def beside(self, pairs: Sequence[tuple[Any, Any]], waiting: tuple[Any, str, str] | None) -> nn.Module:
        """A module that adds what several modules give, each of its own norm of the same input."""
        return TorchBeside(pairs, waiting)

    @contextmanager
    def tap(
        self, owner: Any, name: str | int, note: Callable[[Any], None], *, of_input: bool
    ) -> Iterator[None]:
        """Note what a module of `owner` gives, or gets, for the length of a `with` block."""
        module = owner[name] if isinstance(name, int) else getattr(owner, name)
        if of_input:
            hook = module.register_forward_pre_hook(lambda _, given: note(given[0]))
        else:
            hook = module.register_forward_hook(
                lambda _, __, output: note(output[0] if isinstance(output, tuple) else output)
            )
        try:
            yield
        finally:
            hook.remove()

    @contextmanager
    def tap_routes(self, mlp: Any, name: str, note: Callable[[Any], None]) -> Iterator[None]:
        """Note the experts of every forward, the second argument of the module that holds them."""
        hook = getattr(mlp, name).register_forward_pre_hook(lambda _, given: note(given[1]))
        try:
            yield
        finally:
            hook.remove()


class TorchNothing(nn.Module):
    """A part that is left out. It leaves the cache alone."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor | tuple[Tensor, None]:
        """A block gives its input; other parts have nothing to add, and attention no weights to show."""
        if self._what == "block":
            return hidden_states
        added = torch.zeros_like(hidden_states)
        return (added, None) if self._what == "attention" else added


class TorchBeside(nn.Module):
    """Several modules with the same input, each behind its norm; what they give is added."""

    def __init__(self, pairs: Sequence[tuple[Any, Any]], waiting: tuple[Any, str, str] | None) -> None:
        super().__init__()
        self.norms = nn.ModuleList(norm for norm, _ in pairs)
        self.beside = nn.ModuleList(module for _, module in pairs)
        self._waiting = () if waiting is None else (waiting,)  # in a tuple, as it is a part of its own layer

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """Takes what the modules take; of attention the weights are not shown."""
        hidden = arguments[0] if arguments else options["hidden_states"]
        early = ((getattr(block, norm), getattr(block, name)) for block, norm, name in self._waiting)
        given = []
        for norm, module in chain(early, zip(self.norms, self.beside, strict=True)):
            if arguments:
                given.append(module(norm(hidden), *arguments[1:], **options))
            else:
                given.append(module(**{**options, "hidden_states": norm(hidden)}))
        if isinstance(given[0], tuple):
            return sum(one[0] for one in given), None
        return sum(given)


def _index(kept: Kept, device: torch.device) -> Any:
    return kept if isinstance(kept, slice) else torch.from_numpy(kept).to(device)


def _frozen(tensor: Tensor) -> nn.Parameter:
    copied = tensor.detach().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(copied, requires_grad=False)
