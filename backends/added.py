"""A cut from outside the project: one key of a cut, and what it does to a loaded model.

It comes by an entry point of the group `bench.cuts`. The entry point's name is the key, and a factory with
one typed keyword argument, the key's value, makes the cut:

    def skip_mlp(*, every: Annotated[int, Field(ge=2)]) -> AddedCut: ...      { cut = { skip_mlp = 2 } }

The ledger counts the matrices of the changed model. It does not ask the cut, because published cuts claimed
savings that they did not make; what the cut says it leaves out is what the guard holds the count against.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, get_type_hints

from backends.cut_keys import GROUP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backends.anatomy import Anatomy
    from backends.base import BackendInfo
    from backends.parts import Parts


@dataclass(frozen=True, kw_only=True)
class TextReading:
    """How a cut that is fitted to a text lets a model read it."""

    encode: Callable[[str], list[int]]
    """Token ids of a text, with the special tokens that the tokenizer adds."""
    run: Callable[[Any, list[int]], None]
    """One forward of a model over some ids, without a cache; returns when it is done."""
    numbers: Callable[[Any], NDArray[np.float32]]
    """An array of the library, fetched."""
    context: int | None
    """Longest sequence of tokens that the model was made for."""


class AddedCut:
    """What one value of a key leaves out; the defaults leave nothing out."""

    reads_less = True
    """Whether a forward reads fewer bytes of weights; if so, the guard demands it."""
    holds_less = False
    """Whether fewer bytes of weights are in memory, however many are read; if so, the guard demands that."""

    def check(self, info: BackendInfo) -> None:
        """Refuse a model that can't have this cut.

        Raises:
            RequestError: with the reason, and what to do.
        """

    def change(self, model: Any, *, parts: Parts, anatomy: Anatomy, info: BackendInfo) -> None:
        """Change a copy whose modules are its own and whose weights are shared with the loaded model.

        What the project's own keys drop or slice is left out before; `weight_bits` rounds what there is
        afterwards. A module may be replaced or wrapped, and so sees the cache
        that its library gives to it; a shared weight must not be written to.

        Args:
            model: of the library; `backends.anatomy.layers_of` gives its layers.
            parts: the library's modules: counted, copied in part, or replaced by nothing.
            anatomy: where a layer keeps what.
            info: which library, device and dtype.

        Raises:
            ModelError: this model can't have the cut.
        """

    def fit(self, model: Any, *, parts: Parts, anatomy: Anatomy, reading: TextReading) -> None:
        """Finish the change by what the changed model does on a text; most cuts need none.

        Called after `change`, outside of every window. A text that a cut is fitted to decides what the cut
        is, so its hash belongs into the cut's value, which every run records.
        """

    def attends(self, layer: int) -> bool:
        """Whether the layer's attention runs."""
        return True

    def kept_units(self, layer: int, units: int) -> int:
        """Units of the layer's MLP that stay of `units`."""
        return units

    def kept_positions(self, layer: int, positions: int) -> int:
        """Positions that the layer's cache holds after the prefill, of `positions`."""
        return positions

    def kept_share(self, layers: int) -> float | None:
        """The fraction that stays, on which a sweep looks for a cliff; None where it is no fraction."""
        return None


def added_cut(key: str, value: object) -> tuple[Any, AddedCut]:
    """The value of a key as its factory wants it, in JSON's terms, and the cut that it makes.

    Raises:
        KeyError: no package adds this key.
        ValueError: the value does not fit, or the package can't be imported.
    """
    from pydantic import TypeAdapter
    from pydantic_core import to_jsonable_python

    factory = _factory(key)
    (name,) = inspect.signature(factory).parameters
    checked = TypeAdapter(get_type_hints(factory, include_extras=True)[name]).validate_python(value)
    return to_jsonable_python(checked), factory(**{name: checked})


@lru_cache(maxsize=64)
def _factory(key: str) -> Any:
    for point in entry_points(group=GROUP):
        if point.name == key:
            try:
                return point.load()
            except ImportError as error:
                raise ValueError(f"its package can't be imported ({error}); install it again") from None
    raise KeyError(key)
