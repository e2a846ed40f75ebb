"""`bench exec` as it is typed: whose words go where, exit codes, Ctrl-C, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.bench.processes import AS_ROOT, COMMAND, are_gone, bench, bench_process, children_of
from tests.waiting import TIMEOUT_S, wait_for

QUICK = [*AS_ROOT, "--energy", "modelled", "--idle", "0"]


def test_standard_output_is_the_commands_alone_and_the_exit_code_its_own(tmp_path: Path) -> None:
    script = "echo from the command; echo to stderr >&2; exit 5"
    done = bench_process("exec", *QUICK, "--", "sh", "-c", script, cwd=tmp_path)
    assert done.stdout == "from the command\n"
    assert done.returncode == 5
    assert "to stderr" in done.stderr
    assert "modelled, NOT a measurement" in done.stderr
    assert "with --repeat" in done.stderr  # too short for joules
    assert not list(tmp_path.iterdir())


def test_options_of_the_command_are_its_own(tmp_path: Path) -> None:
    done = bench_process("exec", *QUICK, "--quiet", "echo", "--repeat", "3", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "--repeat 3\n", "")


@pytest.mark.parametrize("option", ["--json", "--export-json"])
def test_json_is_a_file(option: str, tmp_path: Path) -> None:
    done = bench("exec", *QUICK, option, "out.json", "--", "sleep", "1.5", cwd=tmp_path)
    assert done.returncode == 0
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    (row,) = found["results"]
    assert row["argv"] == ["sleep", "1.5"]
    assert row["joules"]["mean"] == pytest.approx(2.0 * row["seconds"]["mean"], rel=0.05)
    assert row["joules"]["interval"] is None
    assert found["energy"]["kind"] == "modelled"
    assert found["comparison"] is None


def test_json_on_standard_error_is_nothing_but_json(tmp_path: Path) -> None:
    done = bench("exec", *QUICK, "--json", "-", "--", "true", cwd=tmp_path)
    assert json.loads(done.stderr)["results"][0]["joules"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--", "no-such-program"], "no such program"),
        (["--baseline", "sh -c 'open", "--", "true"], "can't be split"),
        (["--baseline", "", "--", "true"], "no command"),
        (["--energy", "nonsense", "--", "true"], "nonsense"),
    ],
)
def test_what_can_not_work_is_said_before_anything_runs(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = bench("exec", *AS_ROOT, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_ctrl_c_reaches_the_command_and_what_was_measured_is_printed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "exec", *AS_ROOT, "--energy", "simulated", "--idle", "0", "--", "sleep", "600"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal: what bench gets, bench alone gets
    )
    below: list[psutil.Process] = wait_for(
        lambda: [p for p in children_of(process) if p.name() == "sleep"] and children_of(process)
    )
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert out == ""
    assert "! ended by Ctrl-C" in err
    assert "sleep 600" in err
    assert are_gone(below)


def test_what_is_left_running_is_named(tmp_path: Path) -> None:
    script = f"'{sys.executable}' -c 'import time; time.sleep(600)' >/dev/null 2>&1 & echo $!"
    done = bench_process("exec", *QUICK, "--", "sh", "-c", script, cwd=tmp_path)
    pid = int(done.stdout)
    try:
        assert done.returncode == 0
        assert f"left running, its joules after the command's end are not counted: {pid} " in done.stderr
    finally:
        psutil.Process(pid).kill()


def test_a_comparison_has_a_verdict_in_the_words_of_every_other(tmp_path: Path) -> None:
    spin = f"{sys.executable} -c 'sum(range(20_000_000))'"
    done = bench(
        *("exec", *QUICK, "--repeat", "2", "--baseline", spin, "--json", "c.json", "--", "sleep", "0.1"),
        cwd=tmp_path,
    )
    found = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert found["comparison"]["verdict"] == "not enough blocks"
    assert found["comparison"]["ratio"] < 1
    assert "as modelled: not enough blocks; 1 whole block is not enough for a claim" in done.stderr
