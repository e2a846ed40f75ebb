"""A whole backend that the project has never heard of: a table of what follows each byte.

It stands for a library of its own: its own weight format, dtype, tolerance and package; no config, no
safetensors. `tests/contracts/test_third_backend.py` installs this text outside the project.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from backends.about import About, about
from backends.base import BackendInfo, Generated, ModelError, Redundancy, RequestError, Session
from backends.cut import FULL, Cut
from backends.loop import check_cut, check_prompt, greedy, log_probabilities, open_session
from backends.probing import Matrices
from backends.shape import LayerShape, Shape

VOCABULARY = 256


class Tools:
    """What is done without a loaded model."""

    def gpu_works(self) -> bool:
        return False

    def keep_gpu_busy(self) -> NoReturn:
        raise SystemExit("no GPU")

    def write_tiny(self, source: Path, out: Path) -> None:
        out.mkdir()
        np.eye(VOCABULARY, dtype=np.int8).tofile(out / "weights.table")


SAID = About(
    needs=("numpy",),
    install="third",
    packages=("third-backend",),
    weight_files=("*.table",),
    logit_tolerance={"int8": 0.25},
    gpu="Abacus",
    tools=Tools,
)


@about(SAID)
def load(*, folder: Path, dtype: Literal["int8"] = "int8", layers: int | None = None, times: int = 1):
    """Load a table.

    Args:
        folder: Holds `weights.table`.
        dtype: Of the table.
        layers: Has one; can't be shortened.
        times: Of every logit, to see that the check of equal work looks.
    """
    SAID.require()
    if layers not in (None, 1):
        raise ModelError(f"layers = {layers}, but the table has 1")
    table = np.fromfile(folder / "weights.table", dtype=np.int8).reshape(VOCABULARY, VOCABULARY)
    return TableBackend(table, dtype=dtype, times=times)


class TableBackend:
    """Row by row, what follows a byte."""

    def __init__(self, table: NDArray[np.int8], *, dtype: str, times: int) -> None:
        self._table, self._times = table, times
        self.info = BackendInfo(
            backend="third",
            device="cpu",
            dtype=dtype,
            architecture="table",
            layers=1,
            parameters=table.size,
            weight_bytes=table.nbytes,
            vocabulary=VOCABULARY,
            context=512,
            cache="none",
            versions=SAID.versions(),
        )

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode_text(self, ids: list[int]) -> str:
        return bytes(ids).decode(errors="replace")

    def ready(self, cut: Cut) -> None:
        if cut.weights != FULL:
            raise ModelError("a table has no parts to leave out")

    def forget(self) -> None:
        """Nothing was prepared."""

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        check_prompt(ids, self.info)
        check_cut(cut, ids)
        return Session(prompt_tokens=len(ids), first_token=self._next(ids[-1]), cache=[], ids=ids, cut=cut)

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        open_session(session, max_new_tokens, self.info)

        def step(token: int) -> int:
            end_s = time.thread_time() + 0.001
            while time.thread_time() < end_s:
                self._table @ self._table[token]
            return self._next(token)

        return greedy(session.first_token, step, list, max_new_tokens=max_new_tokens, eos_ids=frozenset())

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        check_prompt(ids, self.info)
        return self._table[ids].astype(np.float32) * self._times

    def logits_after(self, ids: list[int], tokens: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        return self.logits([*ids, *tokens], cut)[len(ids) :]

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        return log_probabilities(self.logits(ids, cut), ids)

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        return self.logits(ids)

    def redundancy(self, ids: list[int], cut: Cut = FULL) -> Redundancy:
        raise RequestError("a table has no layers to compare")

    def shape(self, cut: Cut = FULL) -> Shape:
        size = self._table.size
        layer = LayerShape(
            attention_weights=0,
            attention_bytes=0,
            mlp_weights=size,
            mlp_bytes=size,
            mlp_units=VOCABULARY,
            norm_bytes=0,
        )
        return Shape(
            layers=(layer,),
            head_weights=0,
            head_bytes=0,
            row_bytes=VOCABULARY,
            number_bytes=1,
        )

    def probes(self) -> TableBackend:
        return self

    def stream(self, size_bytes: int) -> Callable[[int], None]:
        buffer = np.ones(size_bytes // 4, dtype=np.float32)

        def read(times: int) -> None:
            for _ in range(times):
                buffer.sum()

        return read

    def matrices(self) -> Matrices:
        vector = np.ones(VOCABULARY, dtype=np.int8)

        def products(_: bool) -> None:
            self._table @ vector

        return Matrices(products, read_bytes=self._table.nbytes, flops=2 * self._table.size)

    def synchronize(self) -> None:
        """Never has anything left to do."""

    def close(self) -> None:
        """Nothing to free."""

    def _next(self, token: int) -> int:
        return int(self._table[token].argmax())
