"""A fleet on real SSH servers of this machine: what goes wrong with it, and what it costs.

    python -m benchmarks.fleet faults [--seconds 0.5]
    python -m benchmarks.fleet load [--hosts 50] [--jobs 200]
    python -m benchmarks.fleet cost [--minutes 2]

`faults`: four suites of the echo backend with a simulated meter on machines of which one is killed in
mid-run, one drops out and comes back, one has another version, one a disk that is full, one another key than
the one that is known; the conductor is killed and resumed. No block may run twice, nothing be lost, and every
refusal be a line. `load`: jobs that run nothing, for what the conductor itself takes for each, and its
memory. `cost`: what a machine that measures spends on anything but `bench run`: the SSH server, here
asyncssh's in Python and not the system's `sshd`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.fleet.conduct import Conductor
from bench.fleet.folder import FleetFolder
from bench.fleet.hosts import read_hosts
from bench.fleet.job import JobSeen
from bench.fleet.sent import suites_to_send
from bench.run import store
from bench.run.records import BlockRecord
from benchmarks.fake_bench import FakeBench
from benchmarks.ssh_hosts import BENCH, MadeHost, listening, make_host, write_hosts

BLOCKS = 2
SUITE = """name = "fleet"  # {name}
seed = 1
backends = ["echo"]
models = {{ full = {{ name = "echo" }}, small = {{ name = "echo", layers = 2 }} }}
backend_options = {{ echo = {{ cpu_s_per_token = 0.002 }} }}
prompts = {{ file = "prompts.jsonl" }}
generation = {{ max_new_tokens = 4 }}
gates = {{ ungated = {{}}, length = {{ tokens = 12 }} }}
energy = {{ source = "{source}", interval_ms = {interval_ms} }}

[protocol]
blocks = {blocks}
min_window_s = {seconds}
self_test_s = 0.0
idle_s = {seconds}
cool_down_s = 0.0
cool_down_limit_s = 5.0
warm_up_s = 0.1
"""
PROMPTS = '{"id": "short", "text": "two words"}\n{"id": "long", "text": "rather more than two words"}\n'
OTHER_VERSION = BENCH.replace(
    "from bench.cli", "from bench.run import host; host.version = lambda _: '0.0.9'; from bench.cli"
)
FULL_DISK = BENCH.replace("exec", "ulimit -f 40\nexec")
"""A file that grows beyond 20 KiB can't be written; the system says that it is too large."""


def write_suites(
    folder: Path, count: int, *, source: str = "simulated", seconds: float = 0.5, blocks: int = BLOCKS
) -> list[Path]:
    """Suites of the echo backend, each with a hash of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "prompts.jsonl").write_text(PROMPTS)
    files = []
    for number in range(count):
        file = folder / f"suite{number:03}.toml"
        interval_ms = 10 if source == "modelled" else 20
        file.write_text(
            SUITE.format(
                name=file.stem, source=source, seconds=seconds, interval_ms=interval_ms, blocks=blocks
            )
        )
        files.append(file)
    return files


# What goes wrong -----------------------------------------------------------------------------------


async def faults(folder: Path, *, seconds: float) -> int:
    """Run the fleet of faults, kill its conductor, resume it, and look at what came of it."""
    suites = write_suites(folder / "suites", 4, seconds=seconds)
    names = ("good", "killed", "drops", "version", "full", "stranger")
    hosts = {name: make_host(folder, name) for name in names}
    (hosts["version"].home / "bench").write_text(OTHER_VERSION)
    (hosts["full"].home / "bench").write_text(FULL_DISK)
    async with listening(list(hosts.values())):
        file = write_hosts(folder, list(hosts.values()))
        known = (folder / "known_hosts").read_text()
        other = hosts["good"].key.export_public_key().decode()
        mine = hosts["stranger"].key.export_public_key().decode()
        (folder / "known_hosts").write_text(known.replace(mine, other))
        first = await _command(folder, "fleet", str(file), *map(str, suites), "--json", "--out", "out")
        await _until(folder, hosts["killed"], 1)
        hosts["killed"].kill()
        await _until(folder, hosts["drops"], 1)
        await hosts["drops"].stop()
        await asyncio.sleep(3)
        await hosts["drops"].start()
        await _until(folder, hosts["good"], 2)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        (fleet,) = (folder / "out").iterdir()
        done = len((fleet / "jobs.jsonl").read_text().splitlines()) if (fleet / "jobs.jsonl").exists() else 0
        print(f"conductor killed with {done} jobs ended")
        resumed = await _command(folder, "fleet", "--resume", str(fleet), "--json")
        said, _ = await resumed.communicate()
    return _judge(fleet, json.loads(said.decode().splitlines()[-1]), resumed.returncode)


def _judge(fleet: Path, told: dict[str, Any], code: int | None) -> int:
    """Print how each job ended; 1 if a block ran twice, or something is lost that should not be."""
    amiss = 0 if code == 1 else 1
    for job in told["jobs"]:
        fits = job["state"] == ("failed" if job["host"] in ("version", "full", "stranger") else "done")
        amiss += not fits
        found = job["stage"]
        if job["run"]:
            run = store.read(Path(job["run"]))
            times = Counter(record.block for record in run.of(BlockRecord))
            amiss += times != dict.fromkeys(range(1, BLOCKS + 1), 1)
            found = f"blocks {dict(times)} in {run.sessions} sessions"
        print(f"{'ok   ' if fits else 'AMISS'} {job['host']:9} {job['suite']:9} {job['state']:7} {found}")
    on_hosts = sum(1 for _ in fleet.parent.parent.glob("*/joulebench-fleet/*/*/runs/*/run.json"))
    print(f"runs on the machines: {on_hosts}; amiss: {amiss}")
    return 1 if amiss else 0


async def _command(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    """`bench` as a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", "from bench.cli.entry import main; main()", *arguments),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE if "--resume" in arguments else asyncio.subprocess.DEVNULL,
    )


async def _until(folder: Path, host: MadeHost, blocks: int) -> None:
    """Wait until so many blocks are whole on a machine."""
    while True:
        files = host.home.glob("joulebench-fleet/*/*/runs/*/records.jsonl")
        if sum(file.read_text().count('{"type": "block"') for file in files) >= blocks:
            return
        await asyncio.sleep(0.1)


# What it costs -------------------------------------------------------------------------------------


async def load(folder: Path, *, hosts: int, jobs: int) -> int:
    """Conduct many jobs that run nothing; the machines are in a process of their own."""
    suites = write_suites(folder / "suites", jobs, source="modelled", seconds=0.2)
    template = _template(folder, suites[0])
    serving = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.fleet",
            "serve",
            str(folder),
            str(template),
            "--hosts",
            str(hosts),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    file = Path(serving.stdout.readline().strip())
    fleet = FleetFolder.create(folder / "out", read_hosts(file), suites_to_send([str(one) for one in suites]))
    ended = 0
    began_s, began_cpu_s = time.perf_counter(), time.process_time()

    def tell(job: JobSeen) -> None:
        nonlocal ended
        if job.state in ("done", "failed"):
            ended += 1
            if ended % max(1, hosts * jobs // 10) == 0:
                mb = psutil.Process().memory_info().rss / 1e6
                print(f"{ended:6} jobs, {time.perf_counter() - began_s:7.1f} s, {mb:6.0f} MB", flush=True)

    try:
        seen = await Conductor(folder=fleet, tell=tell).conduct()
    finally:
        serving.terminate()
        serving.wait()
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    failed = [job for job in seen if job.state != "done"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"{len(seen)} jobs on {hosts} machines in {took_s:.0f} s: {1000 * took_s / len(seen):.0f} ms and "
        f"{1000 * cpu_s / len(seen):.0f} ms of CPU each, peak {peak / 1e6:.0f} MB; {len(failed)} failed"
    )
    for job in failed[:5]:
        print(f"  {job.host} {job.suite}: {job.stage}")
    return 1 if failed else 0


async def serve(folder: Path, template: Path, *, hosts: int) -> int:
    """Be many machines, until ended; prints the file that names them."""
    made = [make_host(folder, f"host{number:02}") for number in range(hosts)]
    for host in made:
        host.answer = FakeBench(host, template)
    async with listening(made):
        print(write_hosts(folder, made), flush=True)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return 0


def _template(folder: Path, suite: Path) -> Path:
    """A real run of a suite, of which copies are made."""
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [
        sys.executable,
        "-P",
        "-c",
        "from bench.cli.entry import main; main()",
        "run",
        str(suite),
        *root,
    ]
    subprocess.run([*command, "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next((folder / "results").glob("*/run.json")).parent


async def cost(folder: Path, *, minutes: float) -> int:
    """One machine that measures, and the CPU time of the SSH server that it has for that."""
    suites = write_suites(folder / "suites", 1, seconds=60 * minutes / 8, blocks=1)
    host = make_host(folder, "one")
    async with listening([host]):
        file = write_hosts(folder, [host])
        conductor = await _command(folder, "fleet", str(file), str(suites[0]), "--quiet", "--out", "out")
        while not list(host.home.glob("joulebench-fleet/*/*/runs/*/run.json")):
            await asyncio.sleep(0.1)
        begun = time.perf_counter(), time.process_time()
        while not list(host.home.glob("joulebench-fleet/*/*/runs/*/power.raw.gz")):
            await asyncio.sleep(1.0)
        took_s, cpu_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
        code = await conductor.wait()
    print(f"SSH server: {60 * cpu_s / took_s:.3f} s of CPU a minute, of which a part watches for this script")
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("faults", "load", "cost", "serve"))
    parser.add_argument("places", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=2.0)
    asked = parser.parse_args(arguments)
    if asked.what == "serve":
        return asyncio.run(serve(*asked.places, hosts=asked.hosts))
    with tempfile.TemporaryDirectory() as name:
        if asked.what == "faults":
            return asyncio.run(faults(Path(name), seconds=asked.seconds))
        if asked.what == "load":
            return asyncio.run(load(Path(name), hosts=asked.hosts, jobs=asked.jobs))
        return asyncio.run(cost(Path(name), minutes=asked.minutes))


if __name__ == "__main__":
    sys.exit(main())
