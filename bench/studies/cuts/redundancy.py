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

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from backends.cut_keys import DROPS
from bench.errors import UserError
from bench.run.workers.messages import AskRedundancy, Load, ModelToLoad
from bench.run.workers.model import ModelWorker, model_worker
from bench.show import table
from bench.show.files import together
from bench.show.plots import COLOURS, MARKERS, page_figure, plain_ticks, save
from bench.show.table import Column, Table, say
from bench.studies.cuts.quality import Progress
from bench.studies.cuts.texts import Text
from bench.suite.models import LocalModel
from bench.suite.prompts import PromptSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    attention: float
    mlp: float
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
    a single piece."""


def profile(
    model: LocalModel,
    *,
    backend: str,
    options: dict[str, Any],
    calibration: PromptSet | Text,
    most_pieces: int,
    progress: Progress,
) -> Profile:
    """Measure the profile.

    Args:
        model: on this machine.
        backend: plugin that runs it.
        options: of the backend.
        calibration: prompts, each a piece; or a text, which is cut into pieces.
        most_pieces: pieces at most.
        progress: told how far it is.

    Raises:
        UserError: the backend has no layers to compare, or there is too little text.
        RunFailed: the process that runs the model died.
    """
    progress(f"loading {model.name} on {backend}")
    load = Load(models={MODEL: ModelToLoad(folder=model.path, options=options)})
    with model_worker(backend, load) as worker:
        pieces = _pieces(worker, calibration, most_pieces)
        changes = [_measure(worker, ids, name, len(pieces), progress) for name, ids in pieces.items()]
    tokens = [len(ids) for ids in pieces.values()]
    mean = np.average(changes, axis=0, weights=tokens)
    return Profile(
        model=model.name,
        backend=backend,
        **_named(calibration),
        pieces=len(changes),
        tokens=sum(tokens),
        layers=label_layers(mean),
        ranking=rank(mean),
        stability=_stability(np.array(changes)),
    )


def label_layers(changes: NDArray[np.float64]) -> tuple[Layer, ...]:
    """Layers with their labels.

    Args:
        changes: of attention, MLP and block, shape (3, layers).
    """
    block = changes[PARTS.index("block")]
    critical = block > CRITICAL * np.median(block)
    early = len(block) if critical.all() else int(np.argmin(critical))
    half = early + (len(block) - early + 1) // 2

    def label(layer: int) -> Label:
        return "early-critical" if layer < early else "middle" if layer < half else "deep"

    return tuple(
        Layer(layer=i, attention=a, mlp=m, block=b, label=label(i), critical=bool(critical[i]))
        for i, (a, m, b) in enumerate(changes.T.tolist())
    )


def rank(changes: NDArray[np.float64]) -> tuple[Ranked, ...]:
    """Attention and MLP of all layers in one list, the smallest change first."""
    modules = [
        Ranked(part=part, layer=layer, change=change)
        for part, row in zip(PARTS[:2], changes[:2].tolist(), strict=True)
        for layer, change in enumerate(row)
    ]
    return tuple(sorted(modules, key=lambda module: module.change))


def least(measured: Profile, part: Part, count: int) -> tuple[int, ...]:
    """The `count` layers whose attention, MLP or block changes the stream least, in order of layers."""
    ranked = sorted(measured.layers, key=lambda layer: float(getattr(layer, part)))
    return tuple(sorted(layer.layer for layer in ranked[:count]))


def least_jointly(measured: Profile, count: int) -> dict[str, tuple[int, ...]]:
    """A cut that drops the `count` modules first in the joint ranking."""
    first = measured.ranking[:count]
    return {
        drop: tuple(sorted(one.layer for one in first if one.part == part))
        for part, drop in zip(PARTS[:2], DROPS[:2], strict=True)
    }


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
    worker: ModelWorker, ids: list[int], name: str, of: int, progress: Progress
) -> list[list[float]]:
    progress(f"redundancy: {name}, one of {of} pieces")
    changes = worker.ask(AskRedundancy(model=MODEL, ids=ids))
    return [list(getattr(changes, part)) for part in PARTS]


def _stability(changes: NDArray[np.float64]) -> float | None:
    """Of changes of shape (pieces, 3, layers)."""
    from scipy.stats import spearmanr

    if len(changes) < 2:
        return None
    halves = (changes[start::2, :2].mean(axis=0).ravel() for start in (0, 1))
    return float(spearmanr(*halves).statistic)


def show(measured: Profile, console: Console) -> None:
    """Print the profile, the ranking and what to type to drop its first modules."""
    over = f"{measured.pieces} pieces of {measured.text_name}, {measured.tokens} tokens"
    said = f"{measured.model} on {measured.backend}: 1 - cosine over {over}"
    layers = Table.of(_COLUMNS, measured.layers, title=said)
    table.show([layers], console)
    say(console, *_lines(measured, most=max(1, len(measured.ranking) // 6)))


def _label(layer: Layer) -> str:
    mark = " (critical)" if layer.critical and layer.label != "early-critical" else ""
    return layer.label + mark


_COLUMNS: tuple[Column[Layer], ...] = (
    Column("layer", lambda layer: layer.layer),
    Column("attention", lambda layer: f"{layer.attention:.4f}"),
    Column("mlp", lambda layer: f"{layer.mlp:.4f}"),
    Column("block", lambda layer: f"{layer.block:.4f}"),
    Column("label", _label, is_text=True),
)


def _lines(measured: Profile, *, most: int) -> Sequence[str]:
    ranked = ", ".join(f"{one.part} {one.layer}" for one in measured.ranking[:most])
    joint = " ".join(
        f"--cut {key}={','.join(map(str, value))}"
        for key, value in least_jointly(measured, most).items()
        if value
    )
    stable = "not known from one piece" if measured.stability is None else f"{measured.stability:.2f}"
    return (
        RULE,
        f"smallest changes, attention and MLP in one ranking: {ranked}",
        f"rank correlation between two halves of the text: {stable}",
        f"what dropping these costs: bench quality {measured.model} {joint}",
    )


def draw(measured: Profile, folder: Path) -> list[Path]:
    """Write the profile as `redundancy.svg` and `redundancy.png`.

    Raises:
        UserError: the folder can't be written.
    """
    with together(folder) as staging:
        heading = f"{measured.model} on {measured.backend}, {measured.text_name}"
        files = save(lambda: _drawn(measured), staging, "redundancy", title=heading)
        names = [file.name for file in files]
    return [folder / name for name in names]


def _drawn(measured: Profile) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, [[axes]] = page_figure(3.2)
    numbers = [layer.layer for layer in measured.layers]
    for part, colour, marker in zip(PARTS, COLOURS, MARKERS, strict=False):
        changes = [getattr(layer, part) for layer in measured.layers]
        axes.plot(numbers, changes, color=colour, marker=marker, markersize=4, label=part)
    for label, shade in (("early-critical", "0.75"), ("deep", "0.92")):
        mine = [layer.layer for layer in measured.layers if layer.label == label]
        if mine:
            axes.axvspan(mine[0] - 0.5, mine[-1] + 0.5, color=shade, zorder=0, label=label)
    axes.set(xlabel="layer", ylabel="change of the residual stream, 1 - cosine", yscale="log")
    plain_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure
