"""The first lines of the command: signals end it quietly from the start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from bench.cli import app
from bench.cli.entry import EXIT_INTERRUPTED, main

IMPORTING = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
class Importer:
    def find_spec(self, name, path=None, target=None):
        if name == "bench.cli.app":
            os.kill(os.getpid(), {number})
            time.sleep(20)
sys.meta_path.insert(0, Importer())
from bench.cli.entry import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_imports_is_one_line(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORTING.format(number=int(number))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_INTERRUPTED, "", "bench: interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_a_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    def command(**_: object) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except KeyboardInterrupt:  # as typer does it
            sys.exit(EXIT_INTERRUPTED)

    monkeypatch.setattr(app, "app", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_INTERRUPTED
    assert capsys.readouterr().err == "bench: interrupted\n"


def test_a_hang_up_that_is_to_be_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(app, "main", lambda: seen.append(signal.getsignal(signal.SIGHUP)))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        main()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen == [signal.SIG_IGN]
