"""One run of a command: its exit code, its end, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from bench.errors import UserError
from bench.run import child
from tests.bench.processes import are_gone
from tests.waiting import wait_for


def shell(script: str, *, mark: str = "", has_stdin: bool = False) -> child.ChildRun:
    return child.run_once(["sh", "-c", script], mark=mark or child.new_mark(), has_stdin=has_stdin)


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137)])
def test_the_exit_code_is_as_a_shell_gives_it(script: str, code: int) -> None:
    done = shell(script)
    assert done.exit_code == code
    assert done.stopped_by is None
    assert done.end_s > done.start_s


def test_the_cpu_time_is_that_of_the_whole_tree() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    done = shell(f"'{sys.executable}' -c '{spin}'; true")
    assert done.cpu_s == pytest.approx(0.35, abs=0.06)


def test_a_program_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="no-such-program: no such program"):
        child.check(["no-such-program"])
    with pytest.raises(UserError, match="no command"):
        child.check([])


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("not a program")
    file.chmod(0o755)
    with pytest.raises(UserError, match="can't be started"):
        child.run_once([str(file)], mark="")


def test_what_is_left_running_is_found_also_in_a_session_of_its_own(tmp_path: Path) -> None:
    mark, pid_file = child.new_mark(), tmp_path / "pid"
    daemon = (
        "import os, sys, time\n"
        "if os.fork(): sys.exit()\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        f"open({str(pid_file)!r}, 'w').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)"
    )
    done = child.run_once([sys.executable, "-c", daemon], mark=mark)
    assert done.exit_code == 0
    pid = int(wait_for(lambda: pid_file.exists() and pid_file.read_text().strip()))
    try:
        (left,) = child.left_running(mark)
        assert left.startswith(f"{pid} ")
        assert not child.left_running(child.new_mark())
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_signal_for_bench_reaches_the_command_and_is_told(tmp_path: Path) -> None:
    started = tmp_path / "started"

    def interrupt() -> None:
        wait_for(started.exists)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    sender = threading.Thread(target=interrupt)
    sender.start()
    done = shell(f"touch '{started}'; exec sleep 600")
    sender.join()
    assert done.stopped_by == signal.SIGTERM
    assert done.exit_code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    assert are_gone([p for p in psutil.Process().children() if p.name() == "sleep"])
