"""A child ends with the process that started it, wherever that one stands: importing, stopped, at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench import lifeline
from tests.waiting import wait_for

CHILD_THAT_IMPORTS = "import pathlib, time\npathlib.Path({here!r}).write_text('x')\ntime.sleep(600)\n"
PARENT = """
import subprocess, sys, time
from bench import lifeline
child = subprocess.Popen(lifeline.command(0, "slow_to_import"), stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("first", [None, signal.SIGSTOP])
def test_a_child_in_an_import_ends_with_its_killed_parent(
    tmp_path: Path, first: signal.Signals | None
) -> None:
    if first is not None and sys.platform != "linux":
        pytest.skip("only Linux ends a stopped child with its parent")
    begun = tmp_path / "begun"
    (tmp_path / "slow_to_import.py").write_text(CHILD_THAT_IMPORTS.format(here=str(begun)))
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    wait_for(begun.exists)
    if first is not None:
        child.send_signal(first)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert child.pid not in [p.pid for p in psutil.wait_procs([child], timeout=2.0)[1]]


def test_a_child_ends_when_the_pipe_closes() -> None:
    with subprocess.Popen(
        lifeline.command(0, "bench.run.workloads", "cpu"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(timeout=20) == 1
