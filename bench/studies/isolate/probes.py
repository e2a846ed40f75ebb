"""Probes that need a library's own arrays: reading, matrix-vector products, arithmetic on cached operands.

Everything else of the isolation runs on the seam that every backend has (`bench.studies.isolate.steps`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

CACHED_SIDE = 256
"""Matrices of this side fit into every cache: multiplying them is arithmetic and hardly any reading."""
CACHED_FLOPS = 2 * CACHED_SIDE**3


class NotAvailable(Exception):
    """A probe can't be run by this library; the message says why."""


@dataclass(frozen=True)
class Matrices:
    """The matrices that a forward multiplies with."""

    products: Callable[[bool], None]
    """One row of activations times each, as linear layers do it; True masks half of every result."""
    read_bytes: int
    flops: int


class Probes(Protocol):
    """What a library is asked to do; each returns with the device idle."""

    def stream(self, size_bytes: int) -> Callable[[], None]:
        """Reads a buffer of this size once per call."""

    def matrices(self, folder: Path, *, dtype: str) -> Matrices:
        """The matrices of a model folder, loaded."""

    def arithmetic(self) -> Callable[[int], None]:
        """Does so many products of two cached matrices (`CACHED_FLOPS` each)."""


def probes_of(backend: str, device: str) -> Probes:
    """The probes of a backend.

    Raises:
        NotAvailable: there are none for it.
    """
    if backend == "torch":
        return TorchProbes(device)
    if backend == "mlx":
        return MlxProbes()
    raise NotAvailable(f"no stream and no matrix probe is written for the backend {backend!r}")


def matrix_names(names_and_shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """Which weights a decode step multiplies with: all matrices, of the embedding tables only the head.

    A tied head is stored under the embedding's name and counts once.
    """
    matrices = [name for name, shape in names_and_shapes.items() if len(shape) == 2]
    tables = [name for name in matrices if _is_table(name)]
    has_head = any("lm_head" in name or "embed_out" in name for name in matrices)
    token_table = [] if has_head else [name for name in tables if "wpe" not in name]
    return [name for name in matrices if name not in tables] + token_table


def _is_table(name: str) -> bool:
    return any(part in name for part in ("embed_tokens", "embed_in", "wte", "wpe"))


class TorchProbes:
    """On the device that the model runs on."""

    def __init__(self, device: str) -> None:
        self.device = device

    def stream(self, size_bytes: int) -> Callable[[], None]:
        """Sum a float32 buffer."""
        import torch

        buffer = torch.ones(size_bytes // 4, device=self.device)

        def read() -> None:
            float(buffer.sum())  # fetching the sum waits for it

        return read

    def matrices(self, folder: Path, *, dtype: str) -> Matrices:
        """The model's own matrices, from its files."""
        import torch
        from safetensors.torch import load_file

        weights = {
            name: w for file in sorted(folder.glob("*.safetensors")) for name, w in load_file(file).items()
        }
        names = matrix_names({name: tuple(w.shape) for name, w in weights.items()})
        kind = getattr(torch, dtype)
        pairs = []
        for name in names:
            matrix = weights[name].to(self.device, kind).contiguous()
            pairs.append((matrix, torch.ones(1, matrix.shape[1], device=self.device, dtype=kind)))
        masks = {m.shape[0]: torch.arange(m.shape[0], device=self.device) % 2 for m, _ in pairs}

        def products(masked: bool) -> None:
            with torch.inference_mode():
                for matrix, vector in pairs:
                    result = torch.nn.functional.linear(vector, matrix)
                    if masked:
                        result = result * masks[result.shape[1]]
                float(result[0, 0])  # waits for the queue, in which products run one after the other

        return Matrices(products, *_counted([(m.numel(), m.element_size()) for m, _ in pairs]))

    def arithmetic(self) -> Callable[[int], None]:
        """Products of two small matrices."""
        import torch

        left = torch.full((CACHED_SIDE, CACHED_SIDE), 1e-3, device=self.device)
        result = torch.empty_like(left)

        def multiply(times: int) -> None:
            for _ in range(times):
                torch.mm(left, left, out=result)
            float(result[0, 0])

        return multiply


class MlxProbes:
    """On the default device of MLX."""

    def stream(self, size_bytes: int) -> Callable[[], None]:
        """Sum a float32 buffer."""
        import mlx.core as mx

        buffer = mx.ones((size_bytes // 4,))
        mx.eval(buffer)
        return lambda: mx.eval(mx.sum(buffer))

    def matrices(self, folder: Path, *, dtype: str) -> Matrices:
        """The model's own matrices, from its files."""
        import mlx.core as mx

        weights: dict[str, Any] = {}
        for file in sorted(folder.glob("*.safetensors")):
            loaded: Any = mx.load(str(file))
            weights |= loaded
        kind = getattr(mx, dtype)
        names = matrix_names({name: tuple(w.shape) for name, w in weights.items()})
        pairs = [(weights[n].astype(kind), mx.ones((1, weights[n].shape[1]), dtype=kind)) for n in names]
        masks = {m.shape[0]: (mx.arange(m.shape[0]) % 2).astype(kind) for m, _ in pairs}
        mx.eval(pairs, masks)

        def products(masked: bool) -> None:
            results = [v @ m.T * masks[m.shape[0]] if masked else v @ m.T for m, v in pairs]
            mx.eval(results)

        return Matrices(products, *_counted([(m.size, m.itemsize) for m, _ in pairs]))

    def arithmetic(self) -> Callable[[int], None]:
        """Products of two small matrices."""
        import mlx.core as mx

        left = mx.full((CACHED_SIDE, CACHED_SIDE), 1e-3)

        def multiply(times: int) -> None:
            result = left
            for _ in range(times):
                result = left @ result
            mx.eval(result)

        return multiply


def _counted(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """Bytes and flops of one product with each matrix, from (elements, bytes per element)."""
    return sum(count * width for count, width in sizes), 2 * sum(count for count, _ in sizes)
