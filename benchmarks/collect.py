"""How long collecting takes, and how much memory: many synthetic run folders in a temporary folder.

    python benchmarks/collect.py [--runs 10000]

A run has 200 records, as a small suite leaves them: 24 slots in 4 blocks, 165 requests of 16 tokens, idle
windows and events. The target is 10,000 runs collected, every line checked, and summed up in under a minute
and 2 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report.export.collect import collect
from bench.report.export.collect_summary import summarise

ARMS = (("ungated", False), ("ungated", True), ("norm_fraction", False))
BLOCKS, REQUESTS = 4, 165


def main() -> None:
    """Make the folders, collect them, print seconds and megabytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        size_bytes = make_runs(folder, runs)
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        collected = collect([folder], folder / "runs.parquet")
        rows = summarise(collected.file)
        seconds_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
        parquet_bytes = collected.file.stat().st_size
    # kilobytes on Linux, bytes on macOS
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    print(f"{runs} runs, {size_bytes / 1e6:.0f} MB of records -> {collected.slots} slots, {len(rows)} lines")
    print(f"{seconds_s:.1f} s ({cpu_s:.1f} s of CPU), peak {peak_bytes / 1e9:.2f} GB")
    print(f"data set {parquet_bytes / 1e6:.1f} MB")


def make_runs(folder: Path, runs: int) -> int:
    """Write run folders; returns the bytes of their records."""
    records = "".join(json.dumps(record) + "\n" for record in run_records()).encode()
    for number in range(runs):
        run = folder / f"run-{number:05d}"
        run.mkdir()
        header = run_header(run.name, gpu_cores=10 * (number % 4))
        (run / "run.json").write_text(json.dumps(header, indent=2))
        (run / "records.jsonl").write_bytes(records)
    return runs * len(records)


def run_header(run_id: str, *, gpu_cores: int) -> dict[str, Any]:
    """run.json of a run on one of a few machines."""
    return {
        "schema": 1,
        "run_id": run_id,
        "started_utc": "2026-01-01T00:00:00+00:00",
        "suite": {"name": "quick", "path": "quick.toml", "sha256": "0" * 64, "text": "x" * 1500},
        "overrides": {"backends": None, "blocks": None},
        "energy": {"source": "powermetrics", "options": {}, "cross_check": []},
        "backends": ["torch"],
        "baseline": "ungated",
        "threshold": 0.02,
        "gates": list(dict.fromkeys(gate for gate, _ in ARMS)),
        "prompts": {"file": "prompts.jsonl", "sha256": "1" * 64, "ids": [f"p{i}" for i in range(50)]},
        "models": {"full": {"name": "smollm2-135m", "revision": "abc", "weight_sha256": "2" * 64}},
        "host": {"chip": "Apple M3", "gpu_cores": gpu_cores, "memory_bytes": 16 << 30, "system": "Darwin"},
        "packages": {"torch": "2.13.0"},
        "python": "3.11.7",
        "git": None,
    }


def run_records() -> list[dict[str, Any]]:
    """200 records in the order in which a run writes them."""
    found: list[dict[str, Any]] = [idle("before")]
    slots = [(b, p) for b in range(1, BLOCKS + 1) for p in range(1, 2 * len(ARMS) + 1)]
    for i, (block, position) in enumerate(slots):
        gate, a_a = ARMS[(position - 1) % len(ARMS)]
        place: dict[str, Any] = {"schema": 1, "session": 1, "block": block, "position": position}
        place |= {"backend": "torch", "gate": gate, "a_a": a_a}
        requests = REQUESTS // len(slots) + (i < REQUESTS % len(slots))
        found += [request(place, number) for number in range(requests)]
        found.append(slot(place, start_s=60.0 * i))
        if position == 2 * len(ARMS):
            found.append({"type": "block", "schema": 1, "session": 1, "block": block})
            found.append(idle("between"))
    events = [
        {"type": "event", "schema": 1, "session": 1, "kind": "finished", "detail": "", "at_s": 1e4 + i}
        for i in range(200 - len(found))
    ]
    return found + events


def request(place: dict[str, Any], number: int) -> dict[str, Any]:
    """One prompt under one arm."""
    times = {"start_s": 1.0, "gated_s": 1.1, "prefilled_s": 1.2, "end_s": 2.0}
    work = {"model": "full", "prompt_tokens": 20, "tokens": list(range(16)), "forwards": 15}
    text = {"text": "an answer of some twenty words " * 3, "error": None}
    return {"type": "request", **place, "pass_number": 1, "prompt_id": f"p{number}", **work, **times, **text}


def slot(place: dict[str, Any], *, start_s: float) -> dict[str, Any]:
    """An arm held for a minute."""
    times = {"start_s": start_s, "end_s": start_s + 60.0}
    return {"type": "slot", **place, "passes": 3, **times, "joules": joules(300.0), "error": None}


def idle(where: str) -> dict[str, Any]:
    """Nothing running."""
    times = {"start_s": 0.0, "end_s": 10.0}
    return {"type": "idle", "schema": 1, "session": 1, "where": where, **times, "joules": joules(2.0)}


def joules(total_j: float) -> dict[str, Any]:
    """Energy of one window."""
    return {
        "total_j": total_j,
        "bound_j": 0.5,
        "rails_j": {"cpu": total_j, "gpu": 0.0, "ane": 0.0},
        "readings": 600,
        "kind": "measured",
        "boundary": "soc_cpu_gpu_ane",
        "grade": 2,
        "grade_name": "metered",
        "grade_reasons": [],
        "withheld": None,
    }


if __name__ == "__main__":
    main()
