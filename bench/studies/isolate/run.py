"""What limits a decode step here? Windows of the ten tests, judged per backend, model and precision.

The model runs in a process of its own. Energy is read all the while; each window gets its joules by the
same attribution as a slot of a run, and none where the readings do not bear it.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.isolation import CellVerdict, judge_cell
from analysis.roofline import GB, EnergyModel, Stream, apple_bandwidth, fit_energy_model, measured_stream
from analysis.rows import Step
from analysis.values import Withheld
from backends.cut import Cut
from bench.errors import UserError
from bench.run import host
from bench.run.joules import MeterTrust, Sources, joules_of
from bench.run.meter import READING_DELAY_S
from bench.run.sources import ChosenMeter, started
from bench.run.workers.messages import Load, ModelToLoad
from bench.run.workers.model import STUDY_WORKER, ModelWorker, model_here, model_worker
from bench.studies.isolate.cells import CellPlan, IsolateSuite
from bench.studies.isolate.window import NextRound, OpenCell, Plan, TimedWindow
from bench.suite import libraries
from energy.cadence import STEP, lasting, seen_cadence

TINY_DEADLINE_S = 300.0

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class CellReport:
    """One cell, judged."""

    plan: CellPlan
    verdict: CellVerdict
    stream: Stream | Withheld
    energy: EnergyModel | Withheld
    steps: tuple[Step, ...]
    missing: dict[str, str]
    """Test -> why it is not available here."""
    kind: str
    """Whether the joules are measured, modelled, simulated or replayed."""
    boundary: str


def check_backends(suite: IsolateSuite) -> None:
    """Refuse a backend that is not here or can't be probed.

    Raises:
        UserError: with what to type.
    """
    for cell in suite.cells:
        libraries.check(cell.backend, [cell.dtype], needs=["probes"])


def isolate(suite: IsolateSuite, meter: ChosenMeter, progress: Progress) -> list[CellReport]:
    """Run and judge every cell.

    Raises:
        UserError: a model is not here, or a backend can't load it.
        RunFailed: a process that runs a model died.
        EnergyError: the meter broke.
    """
    check_backends(suite)
    for cell in suite.cells:
        model_here(cell.model, backend=cell.backend)
    with (
        tempfile.TemporaryDirectory(prefix="joulebench-") as scratch,
        started(meter, Path(scratch)) as source,
    ):
        cadence_s = seen_cadence(source, began_s=time.perf_counter())
        window_s = lasting(suite.window_s, STEP, cadence_s=cadence_s)
        progress(f"a reading every {1e3 * cadence_s:.0f} ms: windows of {window_s:g} s")
        suite = suite.model_copy(update={"window_s": window_s})
        measured = [_run_cell(suite, cell, meter, Path(scratch), progress) for cell in suite.cells]
    info = meter.source.info
    return [
        _judge(cell, _with_shared(cell, rows, suite.cells, measured), rows, info.kind, info.boundary)
        for cell, rows in zip(suite.cells, measured, strict=True)
    ]


@dataclass(frozen=True)
class Rows:
    """What was measured of one cell."""

    steps: list[Step]
    missing: dict[str, str]
    device: str

    @property
    def stream(self) -> list[Step]:
        """Its windows of S1."""
        return [step for step in self.steps if step.test == "S1"]

    @property
    def stream_bytes_per_s(self) -> float:
        """Their median rate; 0 without any."""
        rates = sorted(step.read_bytes / step.seconds_s for step in self.stream)
        return rates[len(rates) // 2] if rates else 0.0


def _run_cell(
    suite: IsolateSuite, cell: CellPlan, meter: ChosenMeter, scratch: Path, progress: Progress
) -> Rows:
    name = f"{cell.backend}, {cell.model}, {cell.precision}"
    progress(f"{name}: loading")
    folder = model_here(cell.model, backend=cell.backend).folder
    if folder is None:
        raise UserError(f"the model {cell.model!r} has no weights to isolate", fix="choose another one")
    options = {"dtype": cell.dtype}
    models = {"full": ModelToLoad(folder=folder, options=options)}
    tiny = _tiny_model(cell.backend, folder, scratch / f"tiny-{cell.backend}-{cell.model.replace('/', '-')}")
    if tiny is not None:
        models["tiny"] = ModelToLoad(folder=tiny, options=options)
    windows: list[TimedWindow] = []
    with model_worker(cell.backend, Load(models=models), module=STUDY_WORKER) as worker:
        progress(f"{name}: which tests can be run")
        missing = _open(worker, suite, cell)
        start_s = time.monotonic()
        for number in range(suite.rounds):
            each = f", {(time.monotonic() - start_s) / number:.0f} s each" if number else ""
            progress(f"{name}: round {number + 1} of {suite.rounds}{each}")
            windows += worker.ask(NextRound(number=number)).windows
        device = worker.info["full"].device
    return Rows(_steps(windows, meter), missing, device)


def _open(worker: ModelWorker, suite: IsolateSuite, cell: CellPlan) -> dict[str, str]:
    plan = Plan(window_s=suite.window_s, stream_bytes=suite.stream_bytes)
    return worker.ask(OpenCell(cut=Cut.model_validate(cell.cut), plan=plan)).missing


def _tiny_model(backend: str, folder: Path, out: Path) -> Path | None:
    """A tiny model of the same layers; None where none can be made of this architecture."""
    if not out.exists():
        command = libraries.command(backend, "write_tiny", folder, out)
        done = subprocess.run(command, capture_output=True, timeout=TINY_DEADLINE_S, check=False)
        if done.returncode != 0:
            return None
    return out


def _steps(windows: Sequence[TimedWindow], meter: ChosenMeter) -> list[Step]:
    """Windows as rows of the analysis, with joules where the readings bear them."""
    source = meter.source
    source.wait(max(w.end_s for w in windows), timeout_s=READING_DELAY_S + 3 * source.info.interval_s)
    spans = [(window.start_s, window.end_s) for window in windows]
    joules = joules_of(spans, Sources.running(source), MeterTrust())
    return [
        Step(
            test=test,
            seconds_s=(window.end_s - window.start_s) / window.steps,
            read_bytes=window.read_bytes,
            flops=window.flops,
            batch=window.batch,
            context=window.context,
            changed=window.changed,
            layers=window.layers,
            joules_j=None if energy.total_j is None else energy.total_j / window.steps,
        )
        for window, energy in zip(windows, joules, strict=True)
        for test in (window.test, *window.also)
    ]


def _with_shared(
    cell: CellPlan, rows: Rows, cells: Sequence[CellPlan], measured: Sequence[Rows]
) -> list[Step]:
    """The cell's rows, with what other cells know better: the stream, and the other precisions.

    A memory has one bandwidth whatever library reads it, so the fastest stream on the same kind of device
    holds for all. A library whose own kernel reads slowly would else be called memory-bound.
    """
    alike = [other for other in measured if (other.device == "cpu") == (rows.device == "cpu")]
    fastest = max(alike, key=lambda other: other.stream_bytes_per_s)
    own = [step for step in rows.steps if step.test != "S1"]
    return fastest.stream + own + _precisions(cell, cells, measured)


def _precisions(cell: CellPlan, cells: Sequence[CellPlan], measured: Sequence[Rows]) -> list[Step]:
    """S5: the decode steps of the same backend and model at every precision that was run."""
    alike = [
        rows.steps
        for other, rows in zip(cells, measured, strict=True)
        if (other.backend, other.model) == (cell.backend, cell.model)
    ]
    again = [replace(step, test="S5") for steps in alike for step in steps if step.test == "S3"]
    return again if len(alike) > 1 else []


def _windows_once(steps: Sequence[Step]) -> list[Step]:
    """Each window of this cell once: a plain step serves several tests, and S5 is also other cells'."""
    own = {replace(step, test=""): step for step in reversed(steps) if step.test != "S5"}
    return list(own.values())


def _judge(cell: CellPlan, steps: list[Step], rows: Rows, kind: str, boundary: str) -> CellReport:
    facts = host.machine()
    published = apple_bandwidth(facts.get("chip") or "", facts.get("gpu_cores"))
    missing = dict(rows.missing)
    if not any(step.test == "S5" for step in steps):
        missing["S5"] = "the suite holds one precision of this backend and model"
    if rows.stream and rows.stream[0] not in steps:
        gb_per_s = rows.stream_bytes_per_s / GB
        missing["S1 of its own"] = (
            f"it streams {gb_per_s:.3g} GB/s, another library here more: that one counts"
        )
    return CellReport(
        plan=cell,
        verdict=judge_cell(steps, bandwidth_bytes_per_s=published),
        stream=measured_stream(steps),
        energy=fit_energy_model(_windows_once(steps)),
        steps=tuple(steps),
        missing=missing,
        kind=kind,
        boundary=boundary,
    )
