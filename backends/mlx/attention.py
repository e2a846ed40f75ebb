"""The attention function of mlx-lm, exchanged in the file of a model for the length of a `with` block."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from backends.anatomy import decoder_of, layers_of
from backends.base import RequestError

ATTENTION = "scaled_dot_product_attention"


@contextmanager
def exchanged(model: Any, attend: Callable[..., Any], *, architecture: str) -> Iterator[None]:
    """Let `attend` stand in for the function, which it gets as its first argument.

    Every model file of mlx-lm imports one function, or takes its layers' attention from a file that does.

    Raises:
        RequestError: None of its files has it.
    """
    inside = (part for layer in layers_of(model) for part in layer.children().values())
    files = (sys.modules[type(part).__module__] for part in (decoder_of(model), *inside))
    file = next((file for file in files if hasattr(file, ATTENTION)), None)
    if file is None:
        raise RequestError(
            f"mlx-lm's {architecture} computes its attention in a way of its own, so what it keeps can't be "
            "chosen",
            fix="leave kv_keep and kv_bits out for this model",
        )
    stock = getattr(file, ATTENTION)
    setattr(file, ATTENTION, partial(attend, stock))
    try:
        yield
    finally:
        setattr(file, ATTENTION, stock)
