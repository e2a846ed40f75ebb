"""One writer a run folder, for as long as that process lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.run.writer import LOCK, sole_writer

HOLDER = """
import sys, time
from pathlib import Path
from bench.run.writer import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_second_is_told_who_the_first_is_and_the_folder_is_as_before(tmp_path: Path) -> None:
    with sole_writer(tmp_path), pytest.raises(UserError, match=f"written by process {os.getpid()}"):
        sole_writer(tmp_path).__enter__()
    assert list(tmp_path.iterdir()) == []
    with sole_writer(tmp_path):
        pass


def test_a_killed_writer_holds_nothing(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-P", "-c", HOLDER, str(tmp_path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match=f"written by process {holder.pid};"):
        sole_writer(tmp_path).__enter__()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert (tmp_path / LOCK).exists()
    with sole_writer(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="can't write to"):
        sole_writer(tmp_path).__enter__()
    assert not (tmp_path / "elsewhere").exists()
