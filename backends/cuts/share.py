"""`share`: neighbours that use one layer's matrices. Memory shrinks; what a token reads does not.

After FoldGPT (Liu et al., arXiv 2407.00928), which trains the model again afterwards; here nothing is
trained. In a group such as `[25, 26]` layer 26 runs with the attention and the MLP of layer 25 and with its
own norms, and has its own cache. A layer is too large to stay in a processor's cache until the next one is
done, so its matrices are read again: bytes in memory fall, bytes that are read do not.
"""

from __future__ import annotations

from typing import Any

from backends.added import AddedCut
from backends.anatomy import Anatomy, layers_of
from backends.base import BackendInfo, ModelError
from backends.cuts.groups import Groups, check_layers
from backends.parts import Parts, one_by_one


class Share(AddedCut):
    """Matrices of the first layer of each group, in all of its layers."""

    reads_less = False
    holds_less = True

    def __init__(self, groups: tuple[tuple[int, ...], ...]) -> None:
        self._groups = groups

    def check(self, info: BackendInfo) -> None:
        """Refuse layers that the model has not."""
        check_layers("share", self._groups, info)

    def change(self, model: Any, *, parts: Parts, anatomy: Anatomy, info: BackendInfo) -> None:
        """Put the matrices of one layer in the place of those of another."""
        layers = layers_of(model)
        for first, *others in self._groups:
            for other in others:
                _share(parts, anatomy, layers, first, other)

    def kept_share(self, layers: int) -> float | None:
        """Layers whose matrices are in memory, of all."""
        return 1 - sum(len(group) - 1 for group in self._groups) / layers


def share(*, groups: Groups) -> AddedCut:
    """Let the layers of a group use the matrices of its first one, such as [[25, 26]]: memory only.

    Args:
        groups: layers that share, each with its own norms and cache; bytes that are read stay the same.
    """
    return Share(groups)


def _share(parts: Parts, anatomy: Anatomy, layers: Any, first: int, other: int) -> None:
    """All matrices of a layer, its biases with them; raise `ModelError` where they are not alike."""
    theirs, ours = (_matrices(parts, anatomy, layers[number]) for number in (first, other))
    if not theirs or [shape for *_, shape in theirs] != [shape for *_, shape in ours]:
        raise ModelError(
            f"share = [[{first}, {other}]]: the two layers have other matrices, or experts",
            fix="share layers that are alike, of which the same cut leaves nothing out",
        )
    for (_, _, matrix, _), (owner, name, _, _) in zip(theirs, ours, strict=True):
        setattr(owner, name, matrix)


def _matrices(parts: Parts, anatomy: Anatomy, layer: Any) -> list[tuple[Any, str, Any, Any]]:
    """Matrices of attention and MLP with their owners, their names there and their shapes."""
    found: list[tuple[Any, str, Any, Any]] = []
    for name in (anatomy.attention, anatomy.mlp_of(layer)):
        module = getattr(layer, name, None)
        inside = [] if module is None else list(parts.matrices(module))
        if not inside or not one_by_one(parts, module):
            return []
        found += [(*one, (one[1], parts.size(one[2]))) for one in inside]
    return found
