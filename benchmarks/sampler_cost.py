"""What it costs to listen to a meter: CPU while measuring, memory over ten hours, time to attribute.

    python benchmarks/sampler_cost.py

A child writes documents of 65 KB ten times a second, once as a whole and once in the thousands of pieces in
which an unbuffered meter writes them; the CPU time of this process is what the conductor pays. Then ten
hours of documents are sent as fast as they are taken, and the memory of this process is watched.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from energy import stream
from energy.attribute import attribute
from energy.base import SourceInfo
from energy.packing import RAW
from energy.recording import Header, Recording

WATCHED_S = 30.0
HOURS = 10
DOCUMENT_BYTES = 65_000
READINGS, WINDOWS = 1_000_000, 10_000

METER = """
import os, sys, time
from energy.lab.documents import SHAPES, Told, document

interval_s, count, pieces = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
told = Told(elapsed_ns=110_000_000, label_s=1.7e9, energies_mj={"cpu": 900, "gpu": 1500, "ane": 0})
content = b"\\0" + document(told, SHAPES["m4-max"])
content = content.replace(b"</dict>", b" " * (65_000 - len(content)) + b"</dict>", 1)
step = -(-len(content) // pieces)
parts = [content[begin : begin + step] for begin in range(0, len(content), step)]
following_s = time.perf_counter()
for _ in range(count):
    for part in parts:
        while part:
            part = part[os.write(1, part):]
    following_s += interval_s
    time.sleep(max(0.0, following_s - time.perf_counter()))
"""

INFO = SourceInfo(
    name="benchmark",
    kind="simulated",
    rails=("cpu", "gpu", "ane"),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
)


def listen(
    folder: Path, *, interval_s: float, count: int, pieces: int
) -> tuple[stream.StreamReader, Recording]:
    """Start a meter and a reader."""
    command = [sys.executable, "-P", "-c", METER, str(interval_s), str(count), str(pieces)]
    recording = Recording(folder, Header("plist", INFO))
    reader = stream.StreamReader(
        lambda: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0),
        recording,
    )
    return reader, recording


def core_share(*, pieces: int) -> tuple[float, float]:
    """Share of a core that this process takes while it listens, and documents a second."""
    with tempfile.TemporaryDirectory() as folder:
        reader, recording = listen(Path(folder), interval_s=0.1, count=10**6, pieces=pieces)
        time.sleep(2.0)
        start_s, cpu_s, size = time.perf_counter(), time.process_time(), recording.raw_bytes
        time.sleep(WATCHED_S)
        spent_s, passed_s = time.process_time() - cpu_s, time.perf_counter() - start_s
        rate = (recording.raw_bytes - size) / passed_s / DOCUMENT_BYTES
        reader.stop(grace_s=2.0)
    return spent_s / passed_s, rate


def memory_over(hours: float) -> list[tuple[float, float]]:
    """(simulated hours, megabytes) of this process as it takes so many hours of documents, accelerated."""
    count = int(hours * 3600 * 10)
    marks = []
    stream.GATHER_S = 0.0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / RAW).symlink_to("/dev/null")
        reader, recording = listen(Path(folder), interval_s=0.0, count=count, pieces=1)
        for share in (0.01, 0.25, 0.5, 0.75, 0.99):
            while recording.raw_bytes < share * count * DOCUMENT_BYTES and reader.dead is None:
                time.sleep(0.02)
            hours_taken = recording.raw_bytes / DOCUMENT_BYTES / 36_000
            marks.append((hours_taken, psutil.Process().memory_info().rss / 1e6))
        reader.stop(grace_s=2.0)
    return marks


def attribution_s() -> float:
    """Seconds to attribute a million readings of three rails to ten thousand windows."""
    chance = np.random.default_rng(5)
    elapsed_s = chance.uniform(0.103, 0.130, READINGS)
    end_s = np.cumsum(elapsed_s)
    start_s = np.concatenate([[0.0], end_s[:-1]])
    joules = elapsed_s[:, None] * chance.uniform(1.0, 20.0, (READINGS, 3))
    begin_s = chance.uniform(0, end_s[-1] - 60, WINDOWS)
    windows = np.column_stack([begin_s, begin_s + chance.uniform(2, 60, WINDOWS)])
    times = []
    for _ in range(5):
        before_s = time.perf_counter()
        attribute(start_s, end_s, joules, windows, alignment_s=0.002, resolution_j=0.001)
        times.append(time.perf_counter() - before_s)
    return sorted(times)[2]


def main() -> None:
    """Print the figures."""
    for pieces, name in ((1, "whole"), (2000, "in 2000 pieces")):
        share, rate = core_share(pieces=pieces)
        print(f"listening, 65 KB documents {name:15} {100 * share:6.3f} % of a core at {rate:.1f} a second")
    print(f"attributing {READINGS:,} readings to {WINDOWS:,} windows: {attribution_s():.3f} s")
    for hours, megabytes in memory_over(HOURS):
        print(f"after {hours:5.2f} simulated hours: {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
