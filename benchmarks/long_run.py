"""How long looking at a long run takes, and how much memory: its folder is made without waiting for it.

    python benchmarks/long_run.py [--hours 8] [--keep FOLDER]

Two backends, each ungated, ungated again and gated; slots of a minute with idle between the blocks; ten
readings a second in documents of powermetrics' form. The power is made up and follows from a seed, so its
joules are labelled `simulated`. The target for eight hours: reading it and drawing every figure takes less
than 12 s and 800 MB, once its readings have been decoded.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.run import store
from bench.run.joules import MeterTrust, Sources, joules_of
from bench.run.observed import Joules
from bench.run.records import IdleRecord, Record, SelfTestRecord, SlotRecord
from bench.suite.header import EnergyAsked, Host, ModelFound, Overrides, PromptsUsed, RunHeader, SuiteFile
from bench.suite.plan import make_arms, make_blocks
from benchmarks.made_up import (
    BACKENDS,
    BEGIN_S,
    COOL_DOWN_S,
    FORWARD_BYTES,
    IDLE_S,
    INTERVAL_S,
    SOURCE,
    Script,
    perform,
    prompt_lengths,
)
from energy.base import Trace
from energy.lab.documents import ChipShape, Told, document
from energy.recording import Header, Recording, Stamp
from energy.selftest import judge_windows

WALL_AHEAD_S = 1.77e9
SHAPE = ChipShape(model="Mac00,0", clusters=(), states=1)
"""Short documents: what is long in real ones are tables that hold no energy."""


def make_long_run(
    folder: Path,
    *,
    hours: float,
    slot_s: float = 60.0,
    prompts: int = 12,
    gates: Sequence[str] = ("norm_fraction",),
    sessions: int = 1,
    warm: bool = True,
    self_test: bool = False,
    interval_s: float = INTERVAL_S,
    seed: int = 0,
) -> Path:
    """Make a run folder below `folder`, as if a run of so many hours had just ended.

    Args:
        folder: of run folders.
        hours: length of the run; whole blocks are made until it is reached, and at least one per session.
        slot_s: shortest slot, e.g. 2.0 for a run of minutes.
        prompts: how many make a pass, of about a second each.
        gates: labels; they all do the same.
        sessions: how often it was started; each has a clock of its own.
        warm: the machine gets warm for a while after the middle of each session.
        self_test: each session begins with one.
        interval_s: between readings.
        seed: of everything that is random.
    """
    lengths = prompt_lengths(prompts)
    arms = make_arms(BACKENDS, ("ungated", *gates), baseline="ungated", a_a=True)
    block_s = 2 * len(arms) * (slot_s + 0.45 * prompts + COOL_DOWN_S) + IDLE_S
    blocks = make_blocks(arms, count=max(sessions, round(hours * 3600 / block_s)), seed=seed)
    run = store.create(folder, header=_header(lengths, gates)).folder
    for number, share in enumerate(np.array_split(np.arange(len(blocks)), sessions), start=1):
        source = replace(SOURCE, interval_s=interval_s)
        script = Script(number, np.random.default_rng([seed, number]), source)
        perform(script, [blocks[i] for i in share], lengths, slot_s=slot_s, self_test=self_test)
        session_folder = store.read(run).session_folder(number)
        session_folder.mkdir(exist_ok=True)
        _record(script, session_folder, warm=warm)
        _keep(script, run, session_folder)
    return run


def _record(script: Script, folder: Path, *, warm: bool) -> None:
    """The meter's stream of a session, as powermetrics would have left it."""
    chance = script.chance
    edges_s, gpu_watts = np.array(script.edges_s), np.array(script.gpu_watts)
    rails_w = np.column_stack([np.array(script.watts) - gpu_watts, gpu_watts])
    spent_j = np.vstack([[0.0, 0.0], np.cumsum(np.diff(edges_s)[:, None] * rails_w, axis=0)])
    interval_s = script.source.interval_s
    count = int((edges_s[-1] - BEGIN_S) / interval_s)
    end_s = BEGIN_S + np.cumsum(interval_s * chance.uniform(0.97, 1.03, count))
    passed_j = np.column_stack([np.interp(end_s, edges_s, rail_j) for rail_j in spent_j.T])
    joules = np.diff(passed_j, axis=0, prepend=0.0) * chance.normal(1, 0.02, count)[:, None]
    arrival_s = np.maximum.accumulate(end_s + 0.002 + chance.exponential(0.003, count))
    counted_mj = np.diff(np.floor(1000 * np.cumsum(joules, axis=0)), axis=0)
    recording = Recording(folder, Header("plist", script.source))
    recording.event("started", "process 0", _stamp(BEGIN_S))
    told = _documents(end_s, counted_mj, range(int(0.55 * count), int(0.65 * count)) if warm else range(0))
    for document_, at_s in zip(told, arrival_s[1:].tolist(), strict=True):
        recording.append(document_, _stamp(at_s))
    recording.event("stopped", "asked to", _stamp(script.now_s))
    recording.close()


def _documents(end_s: NDArray[np.float64], counted_mj: NDArray[np.float64], warm: range) -> Iterator[bytes]:
    """One document an interval; in those of `warm` the machine is."""
    lengths_ns = np.rint(np.diff(end_s) * 1e9).astype(int).tolist()
    for i, (elapsed_ns, (cpu_mj, gpu_mj)) in enumerate(zip(lengths_ns, counted_mj.tolist(), strict=True)):
        energies_mj = {"cpu": int(cpu_mj), "gpu": int(gpu_mj)}
        label_s = end_s[i + 1] + WALL_AHEAD_S
        told = document(Told(elapsed_ns=elapsed_ns, label_s=label_s, energies_mj=energies_mj), SHAPE)
        yield told.replace(b"Nominal", b"Moderate") if i in warm else told


def _stamp(at_s: float) -> Stamp:
    return Stamp(at_s, at_s + WALL_AHEAD_S, at_s)


def _keep(script: Script, run: Path, folder: Path) -> None:
    """Attribute the joules of every window at once, judge the self-test, and store the records."""
    windows = [record for record in script.records if isinstance(record, SlotRecord | IdleRecord)]
    spans = [(record.start_s, record.end_s) for record in windows]
    sources = Sources.stored(folder)
    found = iter(joules_of(spans, sources, MeterTrust()))
    records = store.Store(run)
    records.append(_with_readings(record, found, sources.lead.trace) for record in script.records)
    records.close()


def _with_readings(record: Record, joules: Iterator[Joules], trace: Trace) -> Record:
    if isinstance(record, SlotRecord | IdleRecord):
        return replace(record, joules=next(joules))
    if isinstance(record, SelfTestRecord):
        return replace(record, findings=judge_windows(trace, record.windows or {}))
    return record


def _header(prompts: dict[str, int], gates: Sequence[str]) -> RunHeader:
    """run.json of a machine that does not exist."""
    text = 'name = "long"  # made up by benchmarks/long_run.py\n'
    asked = PromptsUsed(file="short_questions.jsonl", sha256=_sha256(str(prompts)), ids=list(prompts))
    return RunHeader(
        suite=SuiteFile(name="long", path="long.toml", sha256=_sha256(text), text=text),
        overrides=Overrides(),
        energy=EnergyAsked(source="simulated"),
        backends=list(BACKENDS),
        baseline="ungated",
        threshold=0.02,
        gates=["ungated", *gates],
        prompts=asked,
        models={key: ModelFound(name=f"made-up-{key}") for key in FORWARD_BYTES},
        host=Host(chip="made up", system="none", memory_bytes=16 << 30),
        python="3.11.7",
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Make a run, then look at it from a fresh process; print seconds and megabytes of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--keep", type=Path, help="make the run here and leave it")
    parser.add_argument("--look", type=Path, help="only look at this run folder")
    options = parser.parse_args()
    if options.look is not None:
        look(options.look)
        return
    with tempfile.TemporaryDirectory() as scratch:
        start = _now()
        run = make_long_run(options.keep or Path(scratch), hours=options.hours)
        _say(f"made {options.hours:g} h, its readings decoded once ({run})", start)
        subprocess.run([sys.executable, __file__, "--look", str(run)], check=True)


def look(run: Path) -> None:
    """Read a run and draw all its figures."""
    from bench.report.figures.catalogue import figure
    from bench.report.figures.drawing import NotDrawn
    from bench.report.figures.names import names
    from bench.report.story import Story
    from bench.show.plots import render

    start = _now()
    story = Story.of(run)
    _say(f"read, {sum(len(s.lead.trace.end_s) for s in story.readback.sources.values())} readings", start)
    for name in names():
        begun = _now()
        drawn = figure(name, story)
        if not isinstance(drawn, NotDrawn):
            render(drawn.draw, "svg")
        _say(f"  {name}{' (not drawn)' if isinstance(drawn, NotDrawn) else ''}", begun)
    _say("read and drew everything", start)


def _say(what: str, since: tuple[float, float]) -> None:
    # kilobytes on Linux, bytes on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    seconds_s, cpu_s = (now_s - then_s for now_s, then_s in zip(_now(), since, strict=True))
    print(f"{what}: {seconds_s:.1f} s ({cpu_s:.1f} s of CPU), peak {peak_bytes / 1e6:.0f} MB", flush=True)


def _now() -> tuple[float, float]:
    """Seconds by the clock, and of CPU."""
    return time.perf_counter(), time.process_time()


if __name__ == "__main__":
    main()
