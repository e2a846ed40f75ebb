"""What is told while a run goes on: plain, and not at all; and which display is chosen."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest
from rich.console import Console

from bench.cli.options import display
from bench.run.display.jsonl import JsonDisplay
from bench.run.display.live import LiveDisplay
from bench.run.display.plain import Display, PlainDisplay, clock, idle_line, left_text, slot_line, watts
from bench.run.remaining import Expected
from tests.bench.at_hand import QUICK, quick
from tests.bench.events import blocks, joules, slot_record, tell
from tests.bench.processes import AS_ROOT, COMMAND, bench
from tests.bench.suites import write_suite

COLOUR = re.compile(r"\x1b\[[0-9;]*(3|4|9)[0-9][0-9;]*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def plain(**told: str) -> str:
    file = io.StringIO()
    tell(PlainDisplay(Console(file=file, width=80)), **told)  # type: ignore[arg-type]
    return file.getvalue()


def test_plain_lines_say_what_was_measured_and_of_which_kind() -> None:
    lines = plain().splitlines()
    assert "note: simulated, as asked for" in lines
    assert "idle: 3.00 W simulated, over 20 s" in lines
    assert lines[-1].startswith("window 3/12  torch: ")
    assert "2 repeats, 12.0 s, 4 tokens, 15.0 J/token simulated" in lines[-1]
    assert lines[-1].endswith(", about 10 min left")  # 9 slots of 62 s, 2 idles of 20 s


def test_a_hot_machine_is_told() -> None:
    assert "thermal pressure" not in plain()
    assert plain(thermal="Heavy").count("thermal pressure Heavy") == 4


def test_what_is_shown_can_not_move_the_cursor() -> None:
    shown = plain(gate="\x1b[2Jgone\rover")
    assert "\x1b" not in shown
    assert "\r" not in shown


def test_no_joules_are_never_shown_as_zero() -> None:
    slot = blocks()[0][0]
    assert "no joules (the rail gpu is missing)" in slot_line(slot_record(slot, energy=joules(None)), [])
    assert slot_line(slot_record(slot, error="it died"), []) == "void (it died)"
    assert watts(joules(None), 1.0) == "unknown (the rail gpu is missing)"
    assert "power unknown" in idle_line(joules(None), seconds_s=1.0)


@pytest.mark.parametrize(
    ("left", "gone_s", "text"),
    [
        (Expected(mean_s=720.0, spread_s=120.0), 0.0, "12 min ± 2 min"),
        (Expected(mean_s=720.0, spread_s=45.0), 660.0, "60 s ± 45 s"),
        (Expected(mean_s=720.0, spread_s=None), 0.0, "about 12 min"),
        (Expected(mean_s=30.0, spread_s=0.0), 40.0, "0 s ± 1 s"),
    ],
)
def test_the_time_left_has_its_uncertainty(left: Expected, gone_s: float, text: str) -> None:
    assert left_text(left, gone_s=gone_s) == text


def test_the_clock_rounds_to_what_people_say() -> None:
    assert [clock(s) for s in (0.4, 89, 90, 3599, 7500)] == [
        "0 s",
        "89 s",
        "2 min",
        "1 h 00 min",
        "2 h 05 min",
    ]


def test_a_pipe_gets_plain_lines_even_where_colour_is_forced() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with display(console, as_json=False) as chosen:
        assert type(chosen) is PlainDisplay
    with display(console, as_json=True) as chosen:
        assert isinstance(chosen, JsonDisplay)
    with display(console, as_json=True, quiet=True) as chosen:
        assert type(chosen) is Display


def test_only_a_terminal_that_can_move_its_cursor_gets_the_live_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w", encoding="utf-8") as terminal:
        monkeypatch.setenv("TERM", "xterm-256color")
        assert isinstance(display(Console(file=terminal), as_json=False), LiveDisplay)
        monkeypatch.setenv("TERM", "dumb")
        with display(Console(file=terminal), as_json=False) as chosen:
            assert type(chosen) is PlainDisplay
    os.close(leader)


def test_quiet_prints_where_the_run_is_and_nothing_else(tmp_path: Path) -> None:
    write_suite(tmp_path, **QUICK)
    done = quick("run", "suite.toml", "--quiet", cwd=tmp_path, FORCE_COLOR="1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = next((tmp_path / "results").iterdir())
    assert done.stdout == f"run: results/{folder.name}\n"
    assert (folder / "report" / "configurations.csv").is_file()


def test_quiet_still_prints_errors(tmp_path: Path) -> None:
    done = bench("run", "nothing.toml", "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def on_a_terminal(cwd: Path, *, columns: int, rows: int, **environment: str) -> str:
    """`bench run suite.toml` on a terminal of that size; returns all that was written to it."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    written: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(leader, 65_536):
                written.append(piece)
        except OSError:  # this is how Linux says that the other end is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    gone = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    inherited = {key: value for key, value in os.environ.items() if key not in gone}
    done = subprocess.run(
        [*COMMAND, "run", "suite.toml", *AS_ROOT],
        cwd=cwd,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**inherited, "TERM": "xterm-256color", **environment},
        timeout=120,
        check=False,
    )
    os.close(follower)
    reader.join()
    os.close(leader)
    shown = b"".join(written).decode()
    assert done.returncode == 0, shown
    return shown


def test_on_a_terminal_nothing_is_wider_than_it(tmp_path: Path) -> None:
    write_suite(tmp_path)
    shown = on_a_terminal(tmp_path, columns=40, rows=12, NO_COLOR="1")
    before_the_tables, _, answer = shown.partition("echo, 2 prompts")
    assert "J/token" in answer
    assert not COLOUR.search(before_the_tables)  # NO_COLOR
    lines = CONTROL.sub("", before_the_tables).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 40
    assert any(re.match(r"power    \d\.\d\d W modelled, last idle", line) for line in lines)
    assert any(re.match(r"power    \d\.\d\d W modelled, last window", line) for line in lines)
    assert any(line.startswith("left     at least") for line in lines)
    assert any(re.match(r"window 6/6 +echo", line) for line in lines)
