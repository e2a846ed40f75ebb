"""Look into, or replace, the attention of an mlx-lm model for the length of a `with` block.

Every model file of mlx-lm imports one attention function; that name is exchanged in the file of this model.
Outside of the block the model runs the library's own, so requests that don't need this pay nothing for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx

from backends.cut import Cut
from backends.kv_policies import attend_per_query, kept_by_head, looks_at_attention

FUNCTION = "scaled_dot_product_attention"
Attend = Callable[..., Any]


class MlxArrays:
    """MLX on its default device, for `kv_policies`."""

    library = mx

    def numbers(self, values: list[int]) -> Any:
        """Integers as an array."""
        return mx.array(values)

    def float32(self, array: Any) -> Any:
        """The array in float32."""
        return array.astype(mx.float32)


ARRAYS = MlxArrays()


@contextmanager
def per_query(model: Any, cut: Cut) -> Iterator[None]:
    """Let every query see only what `cut` keeps of the positions before it, if it does not keep all."""
    if cut.kv_keep == 1:
        yield
        return

    def attend(queries: Any, keys: Any, values: Any, *, scale: float, **_: Any) -> Any:
        return attend_per_query(ARRAYS, cut, queries, keys, values, scale).astype(queries.dtype)

    with _attention(model, attend):
        yield


@contextmanager
def choosing(model: Any, cut: Cut) -> Iterator[dict[int, Any]]:
    """Attend as ever, and note by layer which positions `cut` keeps, (key-value heads, kept).

    Notes nothing if these don't depend on the attention.
    """
    if not looks_at_attention(cut):
        yield {}
        return
    kept: dict[int, Any] = {}
    layers = iter([layer for layer in range(len(model.layers)) if cut.attends(layer)])
    attention = getattr(_model_file(model), FUNCTION)

    def attend(queries: Any, keys: Any, values: Any, *, scale: float, **options: Any) -> Any:
        kept[next(layers)] = kept_by_head(ARRAYS, cut, queries, keys, scale)
        return attention(queries, keys, values, scale=scale, **options)

    with _attention(model, attend):
        yield kept


@contextmanager
def _attention(model: Any, attend: Attend) -> Iterator[None]:
    file = _model_file(model)
    former = getattr(file, FUNCTION)
    setattr(file, FUNCTION, attend)
    try:
        yield
    finally:
        setattr(file, FUNCTION, former)


def _model_file(model: Any) -> Any:
    """The module in which mlx-lm defines this architecture."""
    return sys.modules[type(model.model).__module__]
