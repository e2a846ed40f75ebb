"""Suites on real SSH servers of this machine, whose `bench` is a fake that fails on demand."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from bench.errors import UserError
from bench.fleet.folder import JOBS, FleetFolder
from bench.fleet.hosts import read_hosts
from bench.fleet.job import JobSeen
from bench.fleet.sent import suites_to_send
from bench.run import store
from bench.run.records import BlockRecord

pytest.importorskip("asyncssh")
pytest.importorskip("distributed")
from bench.fleet.conduct import Conductor
from benchmarks.fake_bench import FULL, FakeBench, Fault
from benchmarks.ssh_hosts import MadeHost, listening, make_host, write_hosts

Faults = dict[str, Sequence[Fault]]


def machine(folder: Path, name: str, template: Path, faults: Sequence[Fault] = (), **facts: str) -> MadeHost:
    host = make_host(folder, name)
    host.answer = FakeBench(host, template, faults=faults, **facts)
    return host


def conducted(fleet: FleetFolder, told: list[str] | None = None) -> dict[tuple[str, str], JobSeen]:
    """How each job stands at the end."""

    def tell(job: JobSeen) -> None:
        if told is not None:
            told.append(f"{job.host} {job.suite} {job.state} {job.stage}")

    jobs = asyncio.run(Conductor(folder=fleet, tell=tell, waits_s=(0.05,)).conduct())
    return {(job.host, job.suite): job for job in jobs}


def blocks_of(job: JobSeen) -> Counter[int]:
    assert job.run is not None
    return Counter(record.block for record in store.read(job.run).of(BlockRecord))


def asked_to_run(host: MadeHost) -> list[str]:
    """What came after `run` in its commands, without folders."""
    return [command.partition(" run ")[2].split()[0] for command in host.commands if " run " in command]


async def run_fleet(hosts: Sequence[MadeHost], folder: Path, suites: list[str], patience_s: float = 60.0):
    async with listening(hosts):
        file = write_hosts(folder, hosts, patience_s=patience_s)
        fleet = FleetFolder.create(folder / "out", read_hosts(file), suites_to_send(suites))
        jobs = await Conductor(folder=fleet, tell=lambda _: None, waits_s=(0.05,)).conduct()
        return fleet, {(job.host, job.suite): job for job in jobs}


def test_whatever_happens_to_a_machine_no_block_runs_twice_and_the_rest_goes_on(
    tmp_path: Path, template: Path, suites: list[str]
) -> None:
    hosts = {
        "good": machine(tmp_path, "good", template),
        "killed": machine(tmp_path, "killed", template, faults=["killed"]),
        "drops": machine(tmp_path, "drops", template, faults=["dropped"]),
        "full": machine(tmp_path, "full", template, faults=["full", "full"]),
        "older": machine(tmp_path, "older", template, version="0.0.9"),
    }
    fleet, jobs = asyncio.run(run_fleet(list(hosts.values()), tmp_path, suites))
    for name in ("good", "killed", "drops"):
        for suite in ("one", "two"):
            assert jobs[name, suite].state == "done", jobs[name, suite].stage
            assert blocks_of(jobs[name, suite]) == {1: 1, 2: 1}
    assert asked_to_run(hosts["good"]) == ["one.toml", "two.toml"]
    for name in ("killed", "drops"):
        assert asked_to_run(hosts[name]) == ["one.toml", "--resume", "two.toml"]
    assert {jobs["full", suite].stage for suite in ("one", "two")} == {FULL}
    assert jobs["older", "one"].stage == "the version of joulebench is 0.0.9, 4 machines have 0.1.0"
    assert asked_to_run(hosts["older"]) == []
    assert len(fleet.ended) == len(jobs) == 10
    runs = sorted(file.parent.parent.name for file in fleet.path.glob("*/*/run.json"))
    assert runs == sorted(2 * ["good", "killed", "drops"])


def test_a_fleet_goes_on_where_its_conductor_was_killed(
    tmp_path: Path, template: Path, suites: list[str]
) -> None:
    host = machine(tmp_path, "one", template, faults=["killed"])

    async def both() -> tuple[dict[tuple[str, str], JobSeen], list[str]]:
        async with listening([host]):
            file = write_hosts(tmp_path, [host])
            fleet = FleetFolder.create(tmp_path / "out", read_hosts(file), suites_to_send(suites))
            gone = asyncio.Event()

            def tell(job: JobSeen) -> None:
                if "killed" in job.stage:
                    gone.set()

            first = asyncio.create_task(Conductor(folder=fleet, tell=tell).conduct())
            await gone.wait()
            first.cancel()
            await asyncio.wait([first])
            before = list(host.commands)
            again = FleetFolder.read(fleet.path)
            jobs = await Conductor(folder=again, tell=lambda _: None).conduct()
            return {(job.host, job.suite): job for job in jobs}, before

    jobs, before = asyncio.run(both())
    assert [blocks_of(job) for job in jobs.values()] == 2 * [{1: 1, 2: 1}]
    runs = asked_to_run(host)
    assert runs.count("one.toml") == runs.count("two.toml") == 1
    assert len(before) < len(host.commands)


def test_what_is_done_is_not_done_again_and_what_failed_is_tried_again(
    tmp_path: Path, template: Path, suites: list[str]
) -> None:
    host = machine(tmp_path, "one", template, faults=["full"])

    async def both() -> tuple[list[str], list[str], Path]:
        async with listening([host]):
            file = write_hosts(tmp_path, [host])
            fleet = FleetFolder.create(tmp_path / "out", read_hosts(file), suites_to_send(suites))
            states = []
            for _ in range(2):
                again = FleetFolder.read(fleet.path)
                jobs = await Conductor(folder=again, tell=lambda _: None).conduct()
                states += [job.state for job in jobs]
                with (fleet.path / JOBS).open("ab") as out:
                    out.write(b'{"host": "on')  # as a crash would leave it
            return states, asked_to_run(host), fleet.path

    states, runs, _ = asyncio.run(both())
    assert states == ["failed", "done", "done", "done"]
    assert runs == ["one.toml", "two.toml", "--resume"]


def test_a_machine_that_is_not_the_one_that_is_known_or_does_not_answer_is_a_row_with_its_reason(
    tmp_path: Path, template: Path, suites: list[str]
) -> None:
    good, stranger, silent = (machine(tmp_path, name, template) for name in ("good", "stranger", "silent"))

    async def run() -> dict[tuple[str, str], JobSeen]:
        async with listening([good, stranger, silent]):
            file = write_hosts(tmp_path, [good, stranger, silent], patience_s=0)
            known = tmp_path / "known_hosts"
            other = good.key.export_public_key().decode()
            known.write_text(known.read_text().replace(stranger.key.export_public_key().decode(), other))
            await silent.stop()
            fleet = FleetFolder.create(tmp_path / "out", read_hosts(file), suites_to_send(suites[:1]))
            jobs = await Conductor(folder=fleet, tell=lambda _: None).conduct()
            await silent.start()
            return {(job.host, job.suite): job for job in jobs}

    jobs = asyncio.run(run())
    assert jobs["good", "one"].state == "done"
    assert "the key of 127.0.0.1 is not the one in" in jobs["stranger", "one"].stage
    assert jobs["silent", "one"].stage.startswith("127.0.0.1 can't be reached")
    assert stranger.commands == silent.commands == []


def test_nothing_but_the_suite_and_its_prompts_is_sent_and_only_loopback_listens(
    tmp_path: Path, template: Path, suites: list[str]
) -> None:
    host = machine(tmp_path, "one", template)
    heard: set[str] = set()

    async def run() -> FleetFolder:
        async with listening([host]):
            file = write_hosts(tmp_path, [host])
            fleet = FleetFolder.create(tmp_path / "out", read_hosts(file), suites_to_send(suites[:1]))

            def tell(_: JobSeen) -> None:
                here = psutil.Process().net_connections(kind="inet")
                heard.update(one.laddr.ip for one in here if one.status == psutil.CONN_LISTEN)

            await Conductor(folder=fleet, tell=tell).conduct()
            return fleet

    fleet = asyncio.run(run())
    assert heard == {"127.0.0.1"}
    folder = host.home / "joulebench-fleet" / fleet.asked.name / "one"
    sent = {file.name for file in folder.iterdir() if file.is_file()}
    assert sent == {"one.toml", "prompts.jsonl"}


def test_a_link_in_what_a_machine_sends_is_refused(tmp_path: Path, template: Path, suites: list[str]) -> None:
    host = machine(tmp_path, "one", template)
    fake = host.answer
    assert fake is not None

    async def hostile(process: object) -> int | None:
        code = await fake(process)
        for run in host.home.glob("joulebench-fleet/*/*/runs/*"):
            (run / "secret").symlink_to("/etc/passwd")
        return code

    host.answer = hostile
    _, jobs = asyncio.run(run_fleet([host], tmp_path, suites[:1]))
    assert jobs["one", "one"].stage.endswith("secret is no plain file")
    assert not list((tmp_path / "out").rglob("secret"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[hosts.a]\npassword = 'x'", "unknown key 'hosts.a.password'"),
        ("[hosts.'../a']\n", "no name of a folder"),
        ("patience_s = 1", "the key 'hosts' is missing"),
    ],
)
def test_a_mistake_in_the_file_of_hosts_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        read_hosts(file)


def test_prompts_outside_the_folder_of_a_suite_are_not_sent(tmp_path: Path, suites: list[str]) -> None:
    file = Path(suites[0])
    file.write_text(file.read_text().replace("prompts.jsonl", "../prompts.jsonl"))
    with pytest.raises(UserError, match="do not lie beside it"):
        suites_to_send(suites)
    with pytest.raises(UserError, match="two suites are named two"):
        suites_to_send(2 * suites[1:])
    assert json.loads(json.dumps(suites_to_send(["quick"])[0].label)) == "quick"
