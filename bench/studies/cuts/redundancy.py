"""Which layers of a model do little? The change of the residual stream by layer, labelled and ranked.

The change of a module is 1 - cosine of the stream before and after it, averaged over tokens
(LLM-Drop, arXiv 2406.15786). Attention, MLP and whole blocks are measured on calibration text.

Labels follow this rule, on the change of whole blocks:

early-critical   the first layers, as long as each changes the stream by more than twice the median
middle           the first half of the layers after them
deep             the second half

A layer anywhere whose change is above twice the median is marked critical too. A small change makes a
module a candidate for dropping, not more: what dropping it costs is for `bench quality` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backends.cut import FULL, Cut
from backends.cut_keys import DROPS
from bench.errors import UserError
from bench.run.workers.messages import AskRedundancy, Load, ModelToLoad
from bench.run.workers.model import ModelWorker, model_worker
from bench.studies.cuts.quality import Progress
from bench.studies.cuts.texts import Text
from bench.suite.models import LocalModel
from bench.suite.prompts import PromptSet

Part = Literal["attention", "mlp", "block"]
PARTS: tuple[Part, ...] = ("attention", "mlp", "block")
Label = Literal["early-critical", "middle", "deep"]
CRITICAL = 2.0
"""Times the median block."""
RULE = (
    "early-critical: the first layers, while each block changes the stream by more than twice the median; "
    "middle and deep: the first and the second half of the rest"
)
MODEL = "full"
PIECE_TOKENS = 1024
"""A long text is read in pieces of so many tokens, or of the model's context if that is shorter."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer; changes are 1 - cosine, 0 where a module leaves the stream as it is."""

    layer: int
    attention: float | None
    """None where the checkpoint leaves it out."""
    mlp: float | None
    block: float
    label: Label
    critical: bool
    """Its block changes the stream by more than twice the median."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """One module in the joint ranking of attention and MLP, the smallest change first."""

    part: Part
    layer: int
    change: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The profile of a model on a calibration text."""

    model: str
    backend: str
    text_name: str
    text_sha256: str
    pieces: int
    tokens: int
    layers: tuple[Layer, ...]
    ranking: tuple[Ranked, ...]
    stability: float | None
    """Spearman correlation of the joint ranking from every other piece with that from the rest; None for
    a single piece, or where there is nothing to rank."""
    iterative: tuple[Ranked, ...] = ()
    """Modules in the order in which one after the other was dropped and what was left measured anew, each
    with its change just before; empty where that was not asked for."""


def profile(
    model: LocalModel,
    *,
    backend: str,
    options: dict[str, Any],
    calibration: PromptSet | Text,
    most_pieces: int,
    progress: Progress,
    iterative: int = 0,
    among: Sequence[Part] = PARTS[:2],
) -> Profile:
    """Measure the profile.

    Args:
        model: on this machine.
        backend: plugin that runs it.
        options: of the backend.
        calibration: prompts, each a piece; or a text, which is cut into pieces.
        most_pieces: pieces at most.
        progress: told how far it is.
        iterative: modules to drop one after the other, measuring what is left after each.
        among: whether attention, MLPs or both are dropped so.

    Raises:
        UserError: the backend has no layers to compare, there is too little text, or there are not so many
            modules to drop.
        RunFailed: the process that runs the model died.
    """
    progress(f"loading {model.name} on {backend}")
    load = Load(models={MODEL: ModelToLoad(folder=model.path, options=options)})
    with model_worker(backend, load) as worker:
        pieces = _pieces(worker, calibration, most_pieces)
        tokens = [len(ids) for ids in pieces.values()]

        def by_piece(cut: Cut) -> NDArray[np.float64]:
            return np.array([_measure(worker, cut, ids, name, progress) for name, ids in pieces.items()])

        changes = by_piece(FULL)
        mean = np.average(changes, axis=0, weights=tokens)
        one_by_one = drop_one_by_one(
            mean, lambda cut: np.average(by_piece(cut), axis=0, weights=tokens), iterative, among=among
        )
    return Profile(
        model=model.name,
        backend=backend,
        **_named(calibration),
        pieces=len(changes),
        tokens=sum(tokens),
        layers=label_layers(mean),
        ranking=rank(mean),
        stability=_stability(changes),
        iterative=one_by_one,
    )


def label_layers(changes: NDArray[np.float64]) -> tuple[Layer, ...]:
    """Layers with their labels.

    Args:
        changes: of attention, MLP and block, shape (3, layers); NaN where a module is left out.
    """
    block = changes[PARTS.index("block")]
    critical = block > CRITICAL * np.median(block)
    early = len(block) if critical.all() else int(np.argmin(critical))
    half = early + (len(block) - early + 1) // 2

    def label(layer: int) -> Label:
        return "early-critical" if layer < early else "middle" if layer < half else "deep"

    return tuple(
        Layer(
            layer=i, attention=_known(a), mlp=_known(m), block=b, label=label(i), critical=bool(critical[i])
        )
        for i, (a, m, b) in enumerate(changes.T.tolist())
    )


def rank(changes: NDArray[np.float64]) -> tuple[Ranked, ...]:
    """Attention and MLP of all layers that have them in one list, the smallest change first."""
    modules = [
        Ranked(part=part, layer=layer, change=change)
        for part, row in zip(PARTS[:2], changes[:2].tolist(), strict=True)
        for layer, change in enumerate(row)
        if not np.isnan(change)
    ]
    return tuple(sorted(modules, key=lambda module: module.change))


def least(measured: Profile, part: Part, count: int) -> tuple[int, ...]:
    """The `count` layers whose attention, MLP or block changes the stream least, in order of layers."""
    ranked = sorted(measured.layers, key=lambda layer: float(getattr(layer, part)))
    return tuple(sorted(layer.layer for layer in ranked[:count]))


def most_alike(layers: Sequence[Layer], count: int) -> tuple[tuple[int, int], ...]:
    """At most `count` pairs of neighbours whose inputs are most alike, the most alike first (FlattenGPT).

    The input of the next layer is the output of this one, so their cosine is 1 less the change of its block.
    A layer is in one pair, and only if it has attention and MLP.
    """
    pairs: list[tuple[int, int]] = []
    taken = {layer.layer for layer in layers if layer.attention is None or layer.mlp is None}
    for layer in sorted(layers[:-1], key=lambda layer: layer.block):
        pair = (layer.layer, layer.layer + 1)
        if not taken.intersection(pair):
            taken.update(pair)
            pairs.append(pair)
    return tuple(pairs[:count])


def drops_of(modules: Sequence[Ranked]) -> dict[str, tuple[int, ...]]:
    """A cut that drops these modules."""
    return {
        drop: tuple(sorted(one.layer for one in modules if one.part == part))
        for part, drop in zip(PARTS[:2], DROPS[:2], strict=True)
    }


def drop_one_by_one(
    changes: NDArray[np.float64],
    measure: Callable[[Cut], NDArray[np.float64]],
    count: int,
    *,
    among: Sequence[Part],
) -> tuple[Ranked, ...]:
    """Drop the module that changes the stream least, measure what is left, drop the next (LLM-Drop).

    Args:
        changes: of the whole model, as `rank` takes them.
        measure: gives those of the model under a cut.
        count: modules to drop; the last one needs no measurement after it.
        among: attention, MLPs or both.

    Raises:
        UserError: there are not so many.
    """
    there = [one for one in rank(changes) if one.part in among]
    if count > len(there):
        raise UserError(
            f"iterative = {count}, but there are {len(there)} modules to drop ({', '.join(among)})",
            fix=f"give at most {len(there)}",
        )
    gone: list[Ranked] = []
    while len(gone) < count:
        if gone:
            changes = measure(Cut.model_validate(drops_of(gone)))
        gone.append(next(one for one in rank(changes) if one.part in among))
    return tuple(gone)


def _named(calibration: PromptSet | Text) -> dict[str, str]:
    name = calibration.name if isinstance(calibration, Text) else f"the prompts of {calibration.file.stem}"
    return {"text_name": name, "text_sha256": calibration.sha256}


def _pieces(worker: ModelWorker, calibration: PromptSet | Text, most: int) -> dict[str, list[int]]:
    """Token ids by the name of a piece."""
    if most < 1:
        raise UserError(f"pieces = {most}", fix="give 1 or more")
    longest = min(PIECE_TOKENS, worker.info[MODEL].context or PIECE_TOKENS)
    if isinstance(calibration, PromptSet):
        encoded = worker.encode(calibration.prompts[:most], model=MODEL)
        return {name: ids[:longest] for name, ids in encoded.items()}
    ids = worker.encode_text(calibration.text, model=MODEL)
    begins = range(0, len(ids), longest)[:most]
    return {f"from token {begin}": ids[begin : begin + longest] for begin in begins}


def _measure(
    worker: ModelWorker, cut: Cut, ids: list[int], name: str, progress: Progress
) -> NDArray[np.float64]:
    """Changes of one piece, shape (3, layers); NaN where a module is left out."""
    dropped = len(cut.drop_attention) + len(cut.drop_mlp)
    progress(f"redundancy: {name}" + (f", {dropped} modules dropped" if dropped else ""))
    changes = worker.ask(AskRedundancy(model=MODEL, ids=ids, cut=cut))
    return np.array([getattr(changes, part) for part in PARTS], dtype=np.float64)


def _known(change: float) -> float | None:
    return None if np.isnan(change) else change


def _stability(changes: NDArray[np.float64]) -> float | None:
    """Of changes of shape (pieces, 3, layers)."""
    from scipy.stats import spearmanr

    there = ~np.isnan(changes[0, :2])
    if len(changes) < 2 or there.sum() < 2:
        return None
    halves = (changes[start::2, :2].mean(axis=0)[there] for start in (0, 1))
    return float(spearmanr(*halves).statistic)
