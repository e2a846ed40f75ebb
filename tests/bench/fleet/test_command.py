"""`bench fleet` as it is typed, and the rows that it prints."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis import stats
from bench.fleet.job import JobSeen
from bench.fleet.machines import MachineRow, rows_of_fleet, together
from bench.fleet.machines import _effect as effect_of
from bench.report.arm_row import ArmRow
from tests.bench.processes import bench

pytest.importorskip("asyncssh")
pytest.importorskip("distributed")
from benchmarks.fake_bench import FakeBench
from benchmarks.ssh_hosts import MadeHost, make_host, write_hosts


@contextmanager
def listening(hosts: Sequence[MadeHost]) -> Iterator[None]:
    """They listen in a thread of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        for host in hosts:
            asyncio.run_coroutine_threadsafe(host.start(), loop).result()
        yield
        for host in hosts:
            asyncio.run_coroutine_threadsafe(host.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_command_prints_a_row_a_machine_and_what_failed_and_goes_on(
    tmp_path: Path, template: Path, suites: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    hosts = [make_host(tmp_path, name) for name in ("first", "second", "older")]
    for host in hosts:
        host.answer = FakeBench(host, template, version="0.0.9" if host.name == "older" else "0.1.0")
    with listening(hosts):
        file = write_hosts(tmp_path, hosts)
        done = bench("fleet", str(file), suites[0], cwd=tmp_path)
        (fleet,) = (tmp_path / "results").iterdir()
        hosts[2].answer = FakeBench(hosts[2], template)  # somebody has upgraded it
        again = bench("fleet", "--resume", str(fleet), "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "1 of 3 jobs failed:" in done.stdout
    assert "! older, one: the version of joulebench is 0.0.9, 2 machines have 0.1.0" in done.stdout
    assert "first one done: " in done.stdout
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout.splitlines()[-1])
    rows = [(row["host"], row["configuration"]) for row in told["rows"]]
    assert rows == [(host, arm) for host in ("first", "second", "older") for arm in ("echo", "echo length")]
    assert told["across_machines"] == []
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the file of hosts and a suite"),
        (("hosts.toml",), "name the file of hosts and a suite"),
        (("hosts.toml", "quick"), "can't read the hosts"),
        (("--resume", "."), "is not the folder of a fleet"),
        (("hosts.toml", "--resume", "."), "--resume goes on with what its folder says"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = bench("fleet", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def row_of(template: Path, log_ratios: np.ndarray) -> ArmRow:
    """The row of an arm whose blocks have these log-ratios."""
    rows = [one.row for one in rows_of_fleet([JobSeen("a", "one", run=template)])]
    ratio = stats.ratio(stats.t_interval(log_ratios, level=0.95))
    return replace(
        next(row for row in rows if row.against is not None),
        blocks=len(log_ratios),
        verdict="saves",
        joules_saved_percent=100 * (1 - ratio.point),
        saved_low_percent=100 * (1 - ratio.high),
        saved_high_percent=100 * (1 - ratio.low),
    )


def test_from_five_machines_on_there_is_a_summary_from_the_blocks_of_each(template: Path) -> None:
    chance = np.random.default_rng(0)
    rows = []
    for machine in range(5):
        log_ratios = chance.normal(-0.4 + 0.1 * machine, 0.02, 6)
        row = row_of(template, log_ratios)
        effect = effect_of(row, 0.95)
        assert effect is not None
        assert effect.log_ratio == pytest.approx(log_ratios.mean())
        assert effect.standard_error == pytest.approx(log_ratios.std(ddof=1) / 6**0.5)
        rows.append(MachineRow(host=f"m{machine}", suite="one", run="r", row=row, effect=effect))
    assert together(rows[:4]) == []
    (found,) = together(rows)
    assert found.across.machines == 5
    assert found.across.ratio.point == pytest.approx(np.exp(-0.2), rel=0.02)
    assert found.across.i2 > 0.9
    mains = [replace(one, row=replace(one.row, boundary="mains")) for one in rows[:1]]
    assert together([*mains, *rows[1:]]) == []
