"""Do two backends that load the same weights do the same work?

Weights that load are not weights that agree: a library that misses one number of the config (a rope
base, say) runs happily and computes something else. Its joules belong to a different model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.errors import RunFailed
from bench.run.observed import SameLogits
from bench.run.workers.messages import AskLogits
from bench.run.workers.process import WorkerProcess
from bench.suite import libraries

_PROBE_TOKENS = 16
_DEADLINE_S = 600.0


def check(
    workers: Mapping[str, WorkerProcess], *, model: str, dtype: str, ids: Mapping[str, list[int]]
) -> list[SameLogits]:
    """Compare every backend with the first on a probe; `ids` are each backend's ids of one prompt.

    Raises:
        RunFailed: two of them disagree; the message says by how much.
    """
    first, *others = workers
    probe = ids[first][:_PROBE_TOKENS]
    reference = _logits(workers[first], model, probe) if others else np.empty(0, np.float32)
    agreements = []
    for other in others:
        agreement = SameLogits(
            model=model,
            backends=(first, other),
            probe_tokens=len(probe),
            same_ids=ids[first] == ids[other],
            logit_difference=difference(reference, _logits(workers[other], model, probe)),
            tolerance=libraries.logit_tolerance((first, other), dtype),
        )
        if not agreement.holds:
            raise RunFailed(_refusal(agreement))
        agreements.append(agreement)
    return agreements


def difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Largest absolute difference; infinite when the shapes differ or one holds something not finite."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.abs(a - b).max())


def _logits(worker: WorkerProcess, model: str, ids: list[int]) -> NDArray[np.float32]:
    sent = worker.ask(AskLogits(model=model, ids=ids), deadline_s=_DEADLINE_S)
    return np.frombuffer(bytes.fromhex(sent.float32_hex), dtype="<f4").reshape(sent.shape)


def _refusal(agreement: SameLogits) -> str:
    first, other = agreement.backends
    if not agreement.same_ids:
        return f"{first} and {other} tokenise the same prompt differently: nothing is compared"
    return (
        f"{first} and {other} load the model {agreement.model!r} but disagree: their logits differ by "
        f"{agreement.logit_difference:.3g} (tolerance {agreement.tolerance:g}), so their joules are not of "
        f"the same work and nothing is compared; run them apart with --backend, or mend the model folder "
        f"(often a rope base that one library does not read)"
    )
