"""Which job runs when: Dask's scheduler, with a worker for each machine that has one meter.

Scheduler and workers live in this process and speak to each other in memory. None of them is on a machine
that measures: an idle one there would take some per cent of a core, and whoever reaches its port may run
anything.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.fleet.doctor import ask_doctor, unlike
from bench.fleet.folder import FleetFolder, JobEnded
from bench.fleet.hosts import known_hosts_file
from bench.fleet.job import WAITS_S, JobAsked, JobSeen, Tell, do_job
from bench.fleet.reach import HostFailed, reached
from bench.run.readiness import SuiteHere

METER = "meter"
_QUIET = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
}
"""Nothing is served, and nothing is watched that nobody looks at."""
_NOWHERE = "127.0.0.1:0"
"""Dask opens a port for pages always; on loopback and without pages it answers nothing to nobody."""


@dataclass(frozen=True, kw_only=True)
class Conductor:
    """A fleet that is conducted."""

    folder: FleetFolder
    tell: Tell
    """Is told of a job whenever it stands otherwise."""
    waits_s: tuple[float, ...] = WAITS_S
    """Between tries to reach a machine."""

    async def conduct(self) -> list[JobSeen]:
        """Run every job that is not done yet; returns how each stands, host by host.

        Raises:
            UserError: no known hosts, or the folder is damaged.
            RunFailed: the folder can't be written.
        """
        known_hosts = known_hosts_file(self.folder.asked.hosts)
        self.folder.drop_cut_line()
        jobs = self._jobs(known_hosts)
        for job in jobs:
            self.tell(job.seen)
        to_do = [job for job in jobs if job.seen.state != "done"]
        await self._doctor(to_do)
        await run_all([job for job in to_do if job.seen.state == "waiting"], self._job)
        return [job.seen for job in jobs]

    def _jobs(self, known_hosts: Path) -> list[JobAsked]:
        asked, ended = self.folder.asked, self.folder.ended
        jobs = []
        for name, host in asked.hosts.hosts.items():
            for suite in asked.suites:
                seen, before = JobSeen(name, suite.label), ended.get((name, suite.label))
                if before is not None and before.state == "done" and before.run is not None:
                    seen.state, seen.run = "done", self.folder.path / name / before.run
                jobs.append(
                    JobAsked(
                        name=name,
                        host=host,
                        known_hosts=known_hosts,
                        patience_s=asked.hosts.patience_s,
                        suite=suite,
                        folder=f"{host.folder.removeprefix('~/')}/{asked.name}/{suite.label}",
                        to=self.folder.path / name,
                        waits_s=self.waits_s,
                        seen=seen,
                        tell=self.tell,
                    )
                )
        return jobs

    async def _doctor(self, jobs: Sequence[JobAsked]) -> None:
        """Ask every machine before anything runs; a job that must not run has failed."""
        by_host: dict[str, list[JobAsked]] = {}
        for job in jobs:
            by_host.setdefault(job.name, []).append(job)
        told = await asyncio.gather(*map(self._examine, by_host.values()))
        by_suite: dict[str, dict[str, SuiteHere]] = {}
        for mine, here in zip(by_host.values(), told, strict=True):
            for job, suite in zip(mine, here, strict=False):
                by_suite.setdefault(job.suite.label, {})[job.name] = suite
        for job in jobs:
            why = dict(unlike(by_suite.get(job.suite.label, {}), job.suite)).get(job.name)
            if job.seen.state == "waiting" and why is not None:
                self._end(job, why=why)

    async def _examine(self, jobs: Sequence[JobAsked]) -> list[SuiteHere]:
        """Send a machine its suites and ask its doctor; nothing of a machine that does not say."""
        first = jobs[0]
        for job in jobs:
            job.seen.stage = "doctor"
            self.tell(job.seen)
        try:
            async with reached(first.name, first.host, first.known_hosts) as there:
                for job in jobs:
                    await there.send(job.suite.content, job.folder)
                above = first.folder.removesuffix(f"/{first.suite.label}")
                return await ask_doctor(there, [job.suite for job in jobs], above)
        except HostFailed as error:
            for job in jobs:
                self._end(job, why=str(error))
            return []

    async def _job(self, job: JobAsked) -> None:
        job.seen.state, job.seen.stage = "running", "begins"
        self.tell(job.seen)
        try:
            run = await do_job(job)
        except BenchError as error:
            self._end(job, why=str(error))
        else:
            self._end(job, run=run)

    def _end(self, job: JobAsked, *, run: Path | None = None, why: str | None = None) -> None:
        seen = job.seen
        seen.state, seen.run, seen.stage = "failed" if run is None else "done", run, why or ""
        name = None if run is None else run.name
        self.folder.append(JobEnded(host=seen.host, suite=seen.suite, state=seen.state, run=name, why=why))
        self.tell(seen)


_working: dict[str, Callable[[int], Awaitable[None]]] = {}
"""What is done for the job of a number, by a word for whoever conducts: Dask carries only the two."""


async def run_all(jobs: Sequence[JobAsked], work: Callable[[JobAsked], Awaitable[None]]) -> None:
    """Do all jobs, those of one machine one after the other in their order.

    Args:
        jobs: to do.
        work: does one; what it raises ends all.
    """
    if not jobs:
        return
    import dask
    from distributed import Client, Scheduler, Worker

    logging.getLogger("distributed").setLevel(logging.ERROR)
    word = secrets.token_hex(8)
    _working[word] = lambda number: work(jobs[number])
    try:
        async with AsyncExitStack() as open_:
            scratch = open_.enter_context(tempfile.TemporaryDirectory(prefix="joulebench-"))
            open_.enter_context(dask.config.set(_QUIET | {"temporary-directory": scratch}))
            scheduler = await open_.enter_async_context(
                Scheduler(protocol="inproc://", dashboard=False, dashboard_address=_NOWHERE)
            )
            for name in dict.fromkeys(job.name for job in jobs):
                await open_.enter_async_context(_worker(Worker, scheduler.address, name))
            client = await open_.enter_async_context(Client(scheduler.address, asynchronous=True))
            await client.gather([_submit(client, word, number, job) for number, job in enumerate(jobs)])
    finally:
        del _working[word]


def _worker(make: Any, scheduler: str, name: str) -> Any:
    return make(
        scheduler,
        name=name,
        nthreads=1,
        resources={METER: 1},
        memory_limit=0,
        dashboard=False,
        dashboard_address=_NOWHERE,
    )


def _submit(client: Any, word: str, number: int, job: JobAsked) -> Any:
    return client.submit(
        _do,
        word,
        number,
        workers=[job.name],
        resources={METER: 1},
        priority=-number,
        key=f"{job.name}-{job.suite.label}-{word}",
        pure=False,
        retries=0,
    )


async def _do(word: str, number: int) -> None:
    """The task of a job, as Dask carries it."""
    await _working[word](number)
