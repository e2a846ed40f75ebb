"""Which weights of a model folder a decode step multiplies with, counted; for the probes of a library."""

from __future__ import annotations

from collections.abc import Iterable


def matrix_names(names_and_shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """All matrices, of the embedding tables only the head.

    A tied head is stored under the embedding's name and counts once.
    """
    matrices = [name for name, shape in names_and_shapes.items() if len(shape) == 2]
    tables = [name for name in matrices if _is_table(name)]
    has_head = any("lm_head" in name or "embed_out" in name for name in matrices)
    token_table = [] if has_head else [name for name in tables if "wpe" not in name]
    return [name for name in matrices if name not in tables] + token_table


def bytes_and_flops(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Of one product with each matrix, from (elements, bytes of the matrix)."""
    elements, sizes_bytes = zip(*sizes, strict=True)
    return sum(sizes_bytes), 2 * sum(elements)


def _is_table(name: str) -> bool:
    return any(part in name for part in ("embed_tokens", "embed_in", "wte", "wpe"))
