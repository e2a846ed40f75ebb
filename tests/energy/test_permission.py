"""May the meter run? Only its first reading tells. Stand-ins play sudo and powermetrics, for a user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.cli.doctor import checks as doctor
from bench.run import sources
from energy import powermetrics as meter
from energy import preflight
from energy.base import SourceUnavailable
from energy.lab.documents import ChipShape, Told, document
from energy.powermetrics import powermetrics, root_command

REFUSES = "echo 'sudo: a password is required' >&2; exit 1"
WORDS = "powermetrics: unrecognized option --handle-invalid-values"
EXIT_64 = f"echo 'starting up' >&2; echo '{WORDS}' >&2; exit 64"
VIRTUAL = """[ "$1" = -h ] && exit
echo 'ERROR: cannot find the IO registry entry for IODeviceTree:/arm-io/pmgr' >&2
while cat "$(dirname "$0")/virtual.plist" && printf '\\0'; do sleep 0.1; done"""
VIRTUAL_SHAPE = ChipShape(model="VirtualMac2,1", clusters=(), rails=(), combined=False, gpu=False)
SIMULATED = f'exec {sys.executable} -P -m energy.lab.simulated "$@"'


def executable(file: Path, body: str) -> Path:
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def sudo_that_allows(*command: str) -> str:
    """Allows that command to the letter, and like the real one says yes to `-l` whatever is asked."""
    return f'''shift
[ "$1" = -l ] && exit 0
[ "$*" = "{" ".join(command)}" ] && exec "$@"
{REFUSES}'''


@pytest.fixture
def as_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for stand-ins; the harness believes that it is a user's."""
    monkeypatch.setattr(preflight, "SUDO", str(tmp_path / "sudo"))
    monkeypatch.setattr(preflight.os, "getuid", lambda: 501)
    monkeypatch.setattr(meter, "FIRST_DOCUMENT_S", 60.0)
    told = Told(elapsed_ns=100_000_000, label_s=1.7e9, energies_mj={})
    (tmp_path / "virtual.plist").write_bytes(document(told, VIRTUAL_SHAPE))
    return tmp_path


def test_a_sudo_that_allows_another_command_wants_a_password(as_a_user: Path) -> None:
    program = executable(as_a_user / "powermetrics", SIMULATED)
    executable(as_a_user / "sudo", sudo_that_allows("/usr/bin/true"))
    with pytest.raises(SourceUnavailable, match="sudo wants a password") as caught:
        powermetrics(path=str(program)).check()
    assert "sudo: a password is required" in caught.value.what
    assert "bench doctor --sudoers" in str(caught.value.fix)


def test_the_line_for_another_interval_is_that_intervals(as_a_user: Path) -> None:
    """What is allowed at 100 ms is refused at 50, and the fix names the line of 50."""
    program = executable(as_a_user / "powermetrics", SIMULATED)
    executable(as_a_user / "sudo", sudo_that_allows(*root_command(path=str(program))))
    powermetrics(path=str(program)).check()
    with pytest.raises(SourceUnavailable) as caught:
        powermetrics(path=str(program), interval_ms=50).check()
    assert "bench doctor --sudoers --interval-ms 50" in str(caught.value.fix)
    executable(as_a_user / "sudo", sudo_that_allows(*root_command(path=str(program), interval_ms=50)))
    powermetrics(path=str(program), interval_ms=50).check()


def test_a_program_that_ends_with_an_error_is_quoted(as_a_user: Path) -> None:
    program = executable(as_a_user / "powermetrics", EXIT_64)
    executable(as_a_user / "sudo", 'shift; exec "$@"')
    with pytest.raises(SourceUnavailable, match="exit code 64") as caught:
        powermetrics(path=str(program)).check()
    assert WORDS in caught.value.what
    assert "starting up" not in caught.value.what


def test_a_check_leaves_no_process_and_no_file(as_a_user: Path) -> None:
    note = as_a_user / "pid"
    program = executable(as_a_user / "powermetrics", f"[ $1 = -h ] || echo $$ > {note}; {SIMULATED}")
    executable(as_a_user / "sudo", 'shift; exec "$@"')
    powermetrics(path=str(program)).check()
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert {file.name for file in as_a_user.iterdir()} == {"sudo", "powermetrics", "pid", "virtual.plist"}


def test_a_virtual_machine_whose_documents_name_no_rail_is_refused_in_the_programs_own_words(
    as_a_user: Path,
) -> None:
    program = executable(as_a_user / "powermetrics", VIRTUAL)
    executable(as_a_user / "sudo", 'shift; exec "$@"')
    with pytest.raises(SourceUnavailable, match="documents name no rail") as caught:
        powermetrics(path=str(program)).check()
    assert "cannot find the IO registry entry" in caught.value.what


@pytest.mark.parametrize("body", [EXIT_64, "exit 0", "sleep 0.1; echo not a document", VIRTUAL])
def test_auto_and_doctor_rank_no_meter_without_a_reading(
    as_a_user: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    program = executable(as_a_user / "powermetrics", body)
    executable(as_a_user / "sudo", 'shift; exec "$@"')
    monkeypatch.setattr(sources, "REAL_METERS", ("powermetrics",))
    monkeypatch.setattr(sources.plugins, "create", _with_path(sources.plugins.create, str(program)))
    chosen = sources.choose("auto", {})
    assert chosen.source.info.kind == "modelled"
    assert "MODELLED" in chosen.note
    refusal = doctor._refusal("powermetrics")
    assert refusal is not None
    assert doctor._meter("powermetrics", refusal).state == "note"


def _with_path(create, path: str):
    def created(group: str, name: str, options: dict):
        return create(group, name, {**options, "path": path} if name == "powermetrics" else options)

    return created
