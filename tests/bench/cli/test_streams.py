"""No output ends a command: not a character, not a reader that has left, not a stream that was closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.report.readback import read_back
from bench.run import store
from tests.bench.processes import AS_ROOT, COMMAND, Done
from tests.bench.runs import run_folder
from tests.bench.suites import write_suite

MAIN = "from bench.cli.entry import main; main()"
PLUS_MINUS = "from bench.cli import streams; streams.make_lasting(); print('5 \\xb1 1'); print('\\u2014')"


def python(code: str, *arguments: str, **environment: str) -> Done:
    """Code in a process of its own, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""},
    ],
)
def test_a_character_that_can_not_be_printed_is_printed_as_its_number(environment: dict[str, str]) -> None:
    assert python(PLUS_MINUS, **environment) == Done(0, "5 \\xb1 1\n\\u2014\n", "")


def test_a_run_goes_on_when_its_reader_has_left(tmp_path: Path) -> None:
    write_suite(tmp_path)
    with subprocess.Popen(
        [*COMMAND, "run", "suite.toml", *AS_ROOT],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `head` does
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert read_back(store.read(run_folder(tmp_path / "results"))).whole_blocks == 1


def test_streams_that_were_closed_before_the_start_are_no_fault() -> None:
    nothing = "sys.stdin = sys.stdout = sys.stderr = None"
    closing = f"import os, sys; [os.close(n) for n in (0, 1, 2)]; {nothing}; {MAIN}"
    assert python(closing, "models") == Done(0, "", "")


def test_a_full_disk_behind_standard_output_is_a_line() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("only Linux has /dev/full")
    full = f"import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); {MAIN}"
    said = "bench: standard output can't be written (No space left on device)\n"
    assert python(full, "models") == Done(1, "", said)


def test_too_few_open_files_are_a_line() -> None:
    few = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); {MAIN}"
    said = "bench: only 20 files may be open at a time, and 64 are needed; type: ulimit -n 1024\n"
    assert python(few, "models") == Done(2, "", said)


def test_more_open_files_are_asked_for_where_they_are_allowed() -> None:
    raised = (
        "import resource; from bench.cli import streams; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 500)); "
        "print(streams.raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    assert python(raised) == Done(0, "None 500\n", "")
