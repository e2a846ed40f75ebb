"""Of a bundle: what the backends compute on this machine's devices, with the embedded model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any

import numpy as np

from backends.cut import FULL, Cut
from bench.errors import BenchError, RunFailed, UserError
from bench.run.workers.equal_work import apart
from bench.run.workers.messages import AskLogits, Load, ModelToLoad
from bench.run.workers.model import STUDY_WORKER, ModelWorker, model_worker
from bench.studies.isolate.window import NextRound, OpenCell, Plan
from bench.suite import libraries
from bench.suite.models import locate
from energy import machine

MODEL = "smollm2-135m"
TEXT = "The energy of a token is what the meter says between two instants, no more and no less."
DTYPES = ("float32", "float16", "bfloat16")
CUTS: Mapping[str, Cut] = {
    "window": Cut(kv_keep=0.5),
    "sinks": Cut(kv_keep=0.5, kv_policy="sinks_window"),
    "heavy hitters": Cut(kv_keep=0.5, kv_policy="heavy_hitters"),
    "half of the MLP": Cut(mlp_keep=0.5),
    "no attention in layer 1": Cut(drop_attention=(1,)),
    "no block 1": Cut(drop_blocks=(1,)),
    "16 bits": Cut(weight_bits=16),
    "8 bits": Cut(weight_bits=8),
    "4 bits": Cut(weight_bits=4),
}


Row = tuple[str, Any]


def logits() -> Iterator[Row]:
    """How far every device and dtype is from float32 on the CPU; a refusal in its words."""
    exact = _ask("torch", {"dtype": "float32", "device": "cpu"})
    for backend, options in _variants():
        name = " ".join([backend, *(f"{key}={value}" for key, value in options.items())])
        yield name, _or_reason(lambda: apart(exact, _ask(backend, options)))  # noqa: B023, called at once


def cuts() -> Iterator[Row]:
    """How far each cut on the GPU is from the same cut on the CPU; a refusal in its words."""
    device = "mps" if machine.is_mac() else "cpu"
    with _worker("torch", {"device": "cpu"}) as on_cpu, _worker("torch", {"device": device}) as on_device:
        yield "device", device
        for name, cut in CUTS.items():
            yield name, _or_reason(lambda: apart(_logits(on_cpu, cut), _logits(on_device, cut)))  # noqa: B023


def stream(*, window_s: float = 0.5, size_bytes: int = 500_000_000) -> Iterator[Row]:
    """Bytes a second that each backend reads on its device, by the isolation's test S1."""
    plan = Plan(window_s=window_s, stream_bytes=size_bytes, tests=("S1",))
    for backend in ("torch", "mlx"):
        yield backend, _or_reason(lambda: _streamed(backend, plan))  # noqa: B023


def _streamed(backend: str, plan: Plan) -> dict[str, Any]:
    with _worker(backend, {}, module=STUDY_WORKER) as worker:
        missing = worker.ask(OpenCell(cut=FULL, plan=plan)).missing
        if missing:
            raise RunFailed(missing["S1"])
        windows = worker.ask(NextRound(number=0)).windows
        rates = [w.read_bytes * w.steps / (w.end_s - w.start_s) for w in windows]
        return {"device": worker.info["full"].device, "bytes_per_s": median(rates)}


def _or_reason(figure: Callable[[], Any]) -> Any:
    """A figure, or why there is none: a row is not the end of its step."""
    try:
        return figure()
    except BenchError as error:
        return {"not_measured": error.what}


def _variants() -> list[tuple[str, dict[str, Any]]]:
    devices = ("mps", "cpu") if machine.is_mac() else ("cpu",)
    on_torch = [("torch", {"dtype": dtype, "device": device}) for device in devices for dtype in DTYPES]
    on_mlx = [("mlx", {"dtype": dtype, "tf32": False}) for dtype in DTYPES]
    return [*on_torch[: -len(DTYPES)], *on_torch[-2:], *on_mlx, ("mlx", {"dtype": "float32", "tf32": True})]


def _ask(backend: str, options: dict[str, Any]) -> np.ndarray:
    with _worker(backend, options) as worker:
        return _logits(worker, FULL)


def _worker(backend: str, options: dict[str, Any], *, module: str = "bench.run.workers.worker") -> Any:
    here = locate(MODEL, weight_files=libraries.weight_files([backend]))
    if here is None:
        raise UserError(f"the model {MODEL} is not here", fix=f"run: bench models fetch {MODEL}")
    return model_worker(
        backend, Load(models={"full": ModelToLoad(folder=here.path, options=options)}), module=module
    )


def _logits(worker: ModelWorker, cut: Cut) -> np.ndarray:
    ids = worker.encode_text(TEXT, model="full")
    sent = worker.ask(AskLogits(model="full", ids=ids[:-6], fed=ids[-6:], cut=cut))
    return np.frombuffer(bytes.fromhex(sent.float32_hex), dtype="<f4").reshape(sent.shape)
