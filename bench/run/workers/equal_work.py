"""Do two backends that load the same weights do the same work?

Weights that load are not weights that agree: a library that misses one number of the config (a rope
base, say) runs happily and computes something else. Its joules belong to a different model.

What is compared are the logits of the longest prompt's last tokens, each fed alone through the cache, as a
request does it. How far apart two of them are is the root mean square of their difference over that of the
logits, both less the mean of their position, which changes no probability. Rounding to half precision hides
as much as a small fault does, so models in half precision are compared in float32 too: whole where memory
has room for that, else their first layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.words import counted
from backends.base import BackendInfo, ModelError
from backends.cut import FULL, Cut
from backends.folder import open_folder
from backends.loop import shared_beginning
from bench.errors import RunFailed
from bench.run.observed import SameLogits
from bench.run.workers.error_model import BITS, MOST_PARAMETERS, ErrorModel, measure
from bench.run.workers.likely_cause import likely_cause
from bench.run.workers.messages import AskLogits, Forget
from bench.run.workers.process import WorkerProcess, WorkerRefused
from bench.show.words import share_percent
from bench.suite import libraries
from bench.suite.models import LocalModel

Ids = Mapping[str, list[int]]
"""Token ids by prompt id."""
Logits = NDArray[np.float32]

FED = 8
"""Last tokens of the prompt, fed one by one."""
EXACT = 1e-4
"""What is further apart in float32 is told with its likely cause, also where it is let through."""
MEMORY_SHARE = 0.5
"""Of the memory that is free: what a model in float32 may take in both workers together."""
_FLOAT32_BYTES = 4
_DEADLINE_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two workers that have loaded the same model."""

    workers: tuple[WorkerProcess, WorkerProcess]
    model: str
    """Its key."""
    info: BackendInfo
    """Of the first."""
    config: Mapping[str, object]
    """Of the model's folder; empty where it has none."""

    @property
    def names(self) -> tuple[str, str]:
        """Of the backends."""
        first, other = self.workers
        return first.backend, other.backend

    def logits(
        self, ids: list[int], fed: list[int], *, layers: int | None = None, cut: Cut = FULL
    ) -> tuple[Logits, Logits]:
        """Of each backend after every token of `fed`, or at every position of `ids` where nothing is fed.

        Args:
            ids: a prompt.
            fed: what is fed after it through the cache.
            layers: so many of the first layers, loaded in float32 for this; None asks the loaded model.
            cut: what is left out.

        Raises:
            WorkerRefused: one can't.
        """
        ask = AskLogits(model=self.model, ids=ids, fed=fed, float32_layers=layers, cut=cut)
        first, other = (_logits(worker, ask) for worker in self.workers)
        return first, other


def check(pair: Pair, ids: tuple[Ids, Ids], *, free_bytes: int) -> SameLogits:
    """Compare two backends; `ids` are those that each makes of every prompt.

    Raises:
        RunFailed: they disagree; the message says by how much, and what is likely to be the cause.
    """
    prompt, longest = _longest(pair, ids)
    if any("logits" in libraries.about(name).lacks for name in pair.names):
        return SameLogits(
            model=pair.model,
            backends=pair.names,
            prompt=prompt,
            probe_tokens=len(longest),
            same_ids=True,
            logit_difference=None,
            tolerance=0.0,
        )
    layers = _float32_layers(pair, free_bytes=free_bytes)
    shortest = min(ids[0].values(), key=len)
    model = _error_model(pair, [longest, shortest], layers=layers, free_bytes=free_bytes)
    found = _compare(pair, prompt, longest, layers=layers, model=model)
    found = replace(found, cause=_cause(pair, found, longest))
    for worker in pair.workers:
        worker.ask(Forget(), deadline_s=_DEADLINE_S)
    if not found.holds:
        raise RunFailed(
            _refusal(found, dtype=pair.info.dtype), fix="run them apart with --backend, or mend the folder"
        )
    return found


def config_in(model: LocalModel | None) -> Mapping[str, object]:
    """What stands in the config of a model's folder; nothing for one that has none."""
    try:
        return {} if model is None or model.folder is None else open_folder(model.folder).config
    except ModelError:
        return {}


def apart(a: Logits, b: Logits) -> float:
    """How far apart logits (positions, vocabulary) are; infinite where shapes differ or one is not finite."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    a, b = (x - x.mean(axis=1, keepdims=True, dtype=np.float64) for x in (a, b))
    difference, size = _rms(a - b), max(_rms(a), _rms(b))
    return difference / size if size else 0.0


def _rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _longest(pair: Pair, ids: tuple[Ids, Ids]) -> tuple[str, list[int]]:
    """Name and ids of the longest prompt.

    Raises:
        RunFailed: the two don't make the same ids of some prompt.
    """
    first, other = pair.names
    for prompt, one in ids[0].items():
        two = ids[1][prompt]
        if one != two:
            at = shared_beginning(one, two)
            raise RunFailed(
                f"{first} and {other} tokenise prompt {prompt!r} differently from token {at + 1} on "
                f"({one[at : at + 3]} and {two[at : at + 3]}): nothing is compared"
            )
    prompt = max(ids[0], key=lambda name: len(ids[0][name]))
    return prompt, ids[0][prompt]


def _float32_layers(pair: Pair, *, free_bytes: int) -> int | None:
    """How many layers are compared in float32; None where the model is in float32, or has no such form."""
    if any("float32" not in libraries.about(name).logit_tolerance for name in pair.names):
        return None
    info = pair.info
    if info.dtype == "float32":
        return None
    kinds = pair.config.get("layer_types")
    of_every_kind = 1 + max(map(kinds.index, kinds)) if isinstance(kinds, list) and kinds else 1
    room = MEMORY_SHARE * free_bytes / max(1, len(pair.workers) * _FLOAT32_BYTES * info.parameters)
    return min(info.layers, max(of_every_kind, int(room * info.layers)))


def _split(ids: list[int]) -> tuple[list[int], list[int]]:
    """A prompt without its last tokens, and those."""
    split = max(1, len(ids) - FED)
    return ids[:split], ids[split:] or ids[-1:]


def _error_model(
    pair: Pair, prompts: list[list[int]], *, layers: int | None, free_bytes: int
) -> ErrorModel | None:
    """Measured on the whole model by the backend that can; None where none can, or it is too large."""
    info = pair.info
    copies = 2 if layers is None else 2 + len(pair.workers)  # weights as they are, and rounded
    room = MEMORY_SHARE * free_bytes / (copies * _FLOAT32_BYTES)
    is_whole = layers in (None, info.layers)
    if info.dtype not in BITS or not is_whole or info.parameters > min(room, MOST_PARAMETERS):
        return None
    for worker in pair.workers:

        def on_cpu(ids: list[int], fed: list[int], bits: int, worker: WorkerProcess = worker) -> Logits:
            asked = AskLogits(
                model=pair.model, ids=ids, fed=fed, float32_layers=info.layers, product_bits=bits
            )
            return _logits(worker, asked)

        try:
            return measure(on_cpu, [_split(ids) for ids in prompts], {"float32", info.dtype}, apart=apart)
        except WorkerRefused:
            continue
    return None


def _compare(
    pair: Pair, prompt: str, ids: list[int], *, layers: int | None, model: ErrorModel | None
) -> SameLogits:
    before, fed = _split(ids)
    one, other = pair.logits(before, fed)
    found = SameLogits(
        model=pair.model,
        backends=pair.names,
        prompt=prompt,
        probe_tokens=len(ids),
        same_ids=True,
        logit_difference=float(np.abs(one - other).max()) if one.shape == other.shape else float("inf"),
        apart=apart(one, other),
        tolerance=_tolerance(pair, model, pair.info.dtype),
        rounded=None if model is None else model.moved["float32"],
        from_cpu=None if model is None else (apart(one, model.exact), apart(other, model.exact)),
        same_tokens=float((one.argmax(axis=1) == other.argmax(axis=1)).mean()),
    )
    if layers is None:
        return found
    try:
        exact = pair.logits(before, fed, layers=layers)
    except WorkerRefused:
        return found  # a kind of model that has no form in float32
    rounding = (apart(one, exact[0]), apart(other, exact[1])) if layers == pair.info.layers else None
    return replace(
        found,
        float32_layers=layers,
        float32_apart=apart(*exact),
        float32_tolerance=_tolerance(pair, model, "float32"),
        from_cpu=None if model is None else (apart(exact[0], model.exact), apart(exact[1], model.exact)),
        rounding=rounding,
    )


def _tolerance(pair: Pair, model: ErrorModel | None, dtype: str) -> float:
    """As measured on the model; else what its backends say of themselves."""
    return model.tolerance(dtype) if model else libraries.logit_tolerance(pair.names, dtype)


def _cause(pair: Pair, found: SameLogits, ids: list[int]) -> str:
    """What is behind a difference that is no rounding of float32; empty where it is."""
    in_float32 = found.float32_apart if found.float32_layers else found.apart
    if in_float32 is None or (pair.info.dtype != "float32" and not found.float32_layers):
        return ""
    if in_float32 <= EXACT:
        return "" if found.holds else _rounding(found, pair.info.dtype)

    def how_far(short: list[int], cut: Cut) -> float:
        try:
            return apart(*pair.logits(short, [], layers=found.float32_layers, cut=cut))
        except WorkerRefused:
            return float("inf")

    layers = found.float32_layers or pair.info.layers
    return likely_cause(
        how_far, ids, apart=in_float32, layers=layers, config=pair.config, rounded=found.rounded
    )


def _rounding(found: SameLogits, dtype: str) -> str:
    if found.rounding is None:
        layers = counted(found.float32_layers or 0, "layer")
        return f"in float32 the first {layers} agree: it is rounding to {dtype}, or a later layer"
    lost = " and ".join(
        f"{name} {share_percent(far)}" for name, far in zip(found.backends, found.rounding, strict=True)
    )
    return f"in float32 they agree, and rounding to {dtype} changes {lost}: choose another dtype"


def _refusal(found: SameLogits, *, dtype: str) -> str:
    first, other = found.backends
    far, limit, form = found.apart, found.tolerance, dtype
    if found.float32_apart is not None and found.float32_apart > found.float32_tolerance:
        far, limit, form = found.float32_apart, found.float32_tolerance, "float32"
    assert far is not None
    why = f"; likely cause: {found.cause}" if found.cause else ""
    if found.from_cpu is not None:
        from_cpu = [share_percent(share) for share in found.from_cpu]
        why = f"; from float32 on the CPU {first} is {from_cpu[0]} and {other} {from_cpu[1]} away{why}"
    return (
        f"{first} and {other} load the model {found.model!r} but disagree: on prompt {found.prompt!r} their "
        f"logits in {form} differ by {share_percent(far)} (tolerance {share_percent(limit)}), so their "
        f"joules are not of the same work and nothing is compared{why}"
    )


def _logits(worker: WorkerProcess, ask: AskLogits) -> Logits:
    sent = worker.ask(ask, deadline_s=_DEADLINE_S)
    return np.frombuffer(bytes.fromhex(sent.float32_hex), dtype="<f4").reshape(sent.shape)
