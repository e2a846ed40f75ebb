"""Root, safely: the meter alone is root, and the rest belongs to the user who typed sudo."""

from __future__ import annotations

import json
import os
import pty
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.bench.processes import COMMAND, children_of, of_type, start
from tests.bench.suites import to_toml, write_suite
from tests.tiny_models import save_tiny_llama
from tests.waiting import TIMEOUT_S, wait_for

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that other users may pass: pytest shuts its own, and each of its processes does so anew."""
    with TemporaryDirectory(prefix="joulebench-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def sudo_environment() -> dict[str, str]:
    return {**os.environ, "SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid)}


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**sudo_environment(), **environment},
        check=False,
    )


@as_root
def test_root_without_an_invoking_user_is_refused(tmp_path: Path) -> None:
    write_suite(tmp_path)
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SUDO_")}
    command = [*COMMAND, "run", "suite.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=plain, check=False)
    assert done.returncode == 2
    assert "--allow-root" in done.stderr
    assert not (tmp_path / "results").exists()


@as_root
def test_lowering_takes_the_users_ids_groups_and_home_and_giving_up_is_for_good() -> None:
    code = """
import os
from bench.run import privilege
privilege.lower(allow_root=False, for_meter=True)
assert privilege.is_lowered()
print(os.geteuid(), os.getegid(), os.environ["HOME"], sorted(os.getgroups()))
privilege.give_up()
assert not privilege.is_lowered()
print(*os.getresuid(), *os.getresgid())
for regain in (os.setuid, os.seteuid, os.setgid):
    try:
        regain(0)
    except PermissionError:
        print("refused")
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    lowered, given_up, *regained = done.stdout.splitlines()
    groups = sorted(os.getgrouplist(NOBODY.pw_name, NOBODY.pw_gid))
    assert lowered == f"{NOBODY.pw_uid} {NOBODY.pw_gid} {NOBODY.pw_dir} {groups}"
    assert given_up == " ".join([str(NOBODY.pw_uid)] * 3 + [str(NOBODY.pw_gid)] * 3)
    assert regained == ["refused"] * 3


@as_root
def test_giving_up_that_fails_stops_before_a_model_is_loaded() -> None:
    code = """
import os
from bench.run import privilege
from bench.errors import RunFailed
privilege.lower(allow_root=False, for_meter=True)
os.setuid = lambda user: None
try:
    privilege.give_up()
except RunFailed as error:
    print(error)
"""
    assert "root could not be given up" in python(code).stdout


@as_root
def test_a_model_is_not_fetched_while_root_could_be_taken_back() -> None:
    code = """
from bench.run import fetch, privilege
from bench.errors import UserError
privilege.lower(allow_root=False, for_meter=True)
try:
    fetch.ensure("smollm2-135m", None, progress=print)
except UserError as error:
    print(error)
"""
    assert "fetch it as yourself" in python(code, JOULEBENCH_CACHE="/nonexistent").stdout


def stand_in_meter(folder: Path) -> Path:
    """A script in root's own folder that speaks as powermetrics does and notes who runs it."""
    folder.mkdir(mode=0o755)
    script = folder / "powermetrics"
    script.write_text(
        "#!/bin/sh\n"
        f"id -u >> {folder}/ran-as\n"
        f'cd {Path(__file__).resolve().parents[3]} && exec {sys.executable} -m energy.lab.simulated "$@"\n'
    )
    script.chmod(0o755)
    return script


@as_root
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes through /proc")
def test_under_sudo_the_meter_is_root_and_workers_and_files_are_the_users(tmp_path: Path) -> None:
    """The conductor is started as `sudo bench run` starts it: root, with SUDO_UID in the environment."""
    work = tmp_path / "work"
    meter = stand_in_meter(tmp_path / "meter")
    write_suite(work, energy={"source": "powermetrics", "path": str(meter)}, protocol__min_window_s=1.5)
    shutil.chown(work, NOBODY.pw_uid, NOBODY.pw_gid)
    with traversable(Path(sys.executable), Path(__file__)):
        environment = sudo_environment()
        process = start("run", "suite.toml", cwd=work, environment=environment)
        wait_for(lambda: of_type(work / "results", "slot") or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        users = {
            "worker" if "bench.run.workers.worker" in p.cmdline() else "meter": ids(p)
            for p in children_of(process)
        }
        assert users["worker"] == {NOBODY.pw_uid}
        assert users["meter"] == {0}
        assert ids(psutil.Process(process.pid)) == {NOBODY.pw_uid}
        meters = [p for p in children_of(process) if "bench.run.workers.worker" not in p.cmdline()]
        process.kill()
        process.communicate()
        wait_for(lambda: not any(p.is_running() for p in meters))
    assert set((tmp_path / "meter" / "ran-as").read_text().split()) == {"0"}
    owners = {path: path.stat().st_uid for path in (work / "results").rglob("*")}
    assert len(owners) >= 4
    assert set(owners.values()) == {NOBODY.pw_uid}


def ids(process: psutil.Process) -> set[int]:
    return set(process.uids())


@contextmanager
def traversable(*files: Path) -> Iterator[None]:
    """Let other users pass the folders above some files, for the time of a test."""
    folders = {parent for file in files for parent in [*file.parents, *file.resolve().parents]}
    modes = {folder: folder.stat().st_mode for folder in folders if not folder.stat().st_mode & 0o001}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o001)
    try:
        yield
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)


NO_PROCESS = """
import json, os, subprocess, sys
from bench.run.workers import process as crew
from bench.studies.isolate import run as isolation

def told(command, **_):
    print("loads", json.dumps([*os.getresuid(), *os.getresgid()]), *command, flush=True)
    raise SystemExit(0)

crew.subprocess = type("Told", (), {**vars(subprocess), "Popen": staticmethod(told)})
isolation.subprocess = type("Told", (), {**vars(subprocess), "run": staticmethod(told)})
from bench.cli.app import main
import scipy.stats, bench.report.story, bench.run.start, bench.suite.prepare  # once for all of them
for typed in json.loads(os.environ["TYPED"]):
    print("typed", typed[0], flush=True)
    if not os.fork():
        sys.argv = ["bench", *typed]
        sys.exit(main())
    os.wait()
"""
"""`bench`, once for each command, but for the processes that load models, which tell who they would be."""

LOADING = {
    "run": ["suite.toml"],
    "sweep": ["suite.toml", "--cut", "kv_keep=0.5:1.0:0.5"],
    "init": ["new.toml", "--model", "MODEL", "--yes"],
    "quality": ["MODEL", "--cut", "kv_keep=0.5"],
    "redundancy": ["MODEL"],
    "spectral": ["MODEL"],
    "isolate": ["isolate.toml"],
}
"""What is typed for each command that loads a model."""

OF_OTHERS = {"exec"}
"""What it runs may load a model: see `test_a_command_that_is_measured_runs_as_the_user_who_typed_sudo`."""
NOT_WALKED = {"meter test", "meter watch", "meter record", "reproduce", "doctor"}
"""They load no model, but for `reproduce --measure`, which runs suites as `run` does, and `doctor --bundle`,
whose models are loaded by the same worker, minutes later: see `test_models_are_loaded_in_one_place`."""


def commands_that_ask_for_root() -> set[str]:
    """Every command with `--allow-root`, by what is typed."""
    import typer

    from bench.cli.app import app

    group = typer.main.get_command(app)
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        for full, one in {f"{name} {n}": c for n, c in below.items()}.items() if below else [(name, command)]:
            if any(parameter.name == "allow_root" for parameter in one.params):
                found.add(full)
    return found


def test_the_walk_below_passes_every_command_that_asks_for_root() -> None:
    assert commands_that_ask_for_root() == LOADING.keys() | OF_OTHERS | NOT_WALKED


@as_root
def test_no_command_loads_a_model_while_root_could_be_taken_back(tmp_path: Path) -> None:
    """Typed with sudo: whoever would load the model can't become root again."""
    work = tmp_path / "work"
    model = save_tiny_llama(work / "model")
    write_suite(work, energy={"source": "simulated"})
    cells = {
        "name": "x",
        "energy": {"source": "simulated"},
        "cells": [{"backend": "torch", "model": str(model)}],
    }
    (work / "isolate.toml").write_text(to_toml(cells))
    for path in (work, *work.rglob("*")):
        shutil.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    typed = [
        [command, *(str(model) if word == "MODEL" else word for word in words)]
        for command, words in LOADING.items()
    ]
    with traversable(Path(sys.executable), Path(__file__)):
        done = subprocess.run(
            [sys.executable, "-c", NO_PROCESS],
            cwd=work,
            capture_output=True,
            text=True,
            env={**sudo_environment(), "TYPED": json.dumps(typed)},
            check=False,
        )
    _, *said = done.stdout.split("typed ")
    first = {
        one.split()[0]: [line for line in one.splitlines() if line.startswith("loads ")][:1] for one in said
    }
    who = f"loads {[NOBODY.pw_uid] * 3 + [NOBODY.pw_gid] * 3}"
    assert {command: [who in line for line in lines] for command, lines in first.items()} == {
        command: [True] for command in LOADING
    }, done.stdout + done.stderr


SETTLES_AT_ONCE = """
from energy import lag, selftest
selftest.SETTLE_S, lag.SETTLED_PULSES = 0.1, lag.LEAST_PULSES
from bench.cli.entry import main
main()
"""
"""`bench`, but for the time that loads and pulses take."""


@as_root
@pytest.mark.parametrize("command", [["test", "--seconds", "1"], ["watch", "--seconds", "1"]])
def test_sudo_bench_meter_works_and_leaves_nothing(command: list[str], tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o777)
    scratch.chmod(0o777)
    environment = {**sudo_environment(), "TMPDIR": str(scratch)}
    with traversable(Path(sys.executable), Path(__file__)):
        done = subprocess.run(
            [sys.executable, "-P", "-c", SETTLES_AT_ONCE, "meter", *command, "--energy", "simulated"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
    assert "Traceback" not in done.stderr, done.stderr
    assert "simulated" in done.stdout
    assert list(scratch.iterdir()) == []


@as_root
def test_a_command_that_is_measured_runs_as_the_user_who_typed_sudo(tmp_path: Path) -> None:
    shutil.chown(tmp_path, NOBODY.pw_uid, NOBODY.pw_gid)
    options = ["--energy", "modelled", "--idle", "0", "--quiet", "--json", "out.json"]
    regain = "import os\ntry: os.setuid(0)\nexcept PermissionError: print(os.getuid(), os.geteuid())"
    with traversable(Path(sys.executable), Path(__file__)):
        done = subprocess.run(
            [*COMMAND, "exec", *options, "--", sys.executable, "-c", regain],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=sudo_environment(),
            check=False,
        )
    assert done.stderr == ""
    assert done.stdout == f"{NOBODY.pw_uid} {NOBODY.pw_uid}\n"
    assert (tmp_path / "out.json").stat().st_uid == NOBODY.pw_uid


@as_root
def test_a_program_that_measures_itself_goes_on_as_the_user_who_typed_sudo() -> None:
    """And so `pytest --joules`, which measures its tests so."""
    code = """
import os
from bench import measure
measure.start("modelled")
with measure():
    for take in (os.setuid, os.seteuid, os.setgid):
        try:
            take(0)
        except PermissionError:
            print("refused")
print(os.getuid(), os.geteuid())
"""
    with traversable(Path(sys.executable), Path(__file__)):
        done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["refused"] * 3 + [f"{NOBODY.pw_uid} {NOBODY.pw_uid}"]


@as_root
def test_a_worker_that_could_become_root_loads_nothing() -> None:
    """Whatever started it: the function that loads models proves first that root is gone."""
    code = """
from bench.errors import RunFailed
from bench.run import privilege
from bench.run.workers.messages import Load
from bench.run.workers.worker import Worker
for lower in (False, True):
    if lower:
        privilege.lower(allow_root=False, for_meter=True)
    try:
        Worker("echo").load(Load(models={}, gates={}, max_new_tokens=1))
    except RunFailed as error:
        print(error.what)
"""
    with traversable(Path(sys.executable), Path(__file__)):
        done = python(code)
    assert done.stdout.splitlines() == ["this process could become root, so no model is loaded"] * 2, (
        done.stderr
    )


def test_models_are_loaded_in_one_place() -> None:
    """Of all that makes a backend from a folder: the worker, and what it does so with in float32."""
    import bench

    rooms = Path(bench.__file__).parent
    loads = {
        f.relative_to(rooms).as_posix() for f in rooms.rglob("*.py") if 'create("backends"' in f.read_text()
    }
    assert loads == {"run/workers/worker.py", "run/workers/in_float32.py"}


def sudo(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """By the real sudo, which drops most of the environment and says who asked."""
    command = ["sudo", "-n", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def can_sudo(*words: str) -> bool:
    return shutil.which("sudo") is not None and sudo(*words, cwd=Path("/")).returncode == 0


@as_root
def test_real_sudo_by_root_itself_names_no_other_user_and_is_refused(tmp_path: Path) -> None:
    if not can_sudo("true"):
        pytest.skip("needs sudo")
    write_suite(tmp_path)
    done = sudo(*COMMAND, "run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "--allow-root" in done.stderr
    assert not (tmp_path / "results").exists()


@as_root
def test_a_run_by_a_real_unprivileged_user_belongs_to_that_user(tmp_path: Path) -> None:
    write_suite(tmp_path)
    tmp_path.chmod(0o777)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    with traversable(Path(sys.executable), Path(__file__)):
        if not can_sudo("-u", NOBODY.pw_name, sys.executable, "-c", "import numpy"):
            pytest.skip("needs sudo, and a Python that other users may start")
        words = ("-u", NOBODY.pw_name, f"HOME={home}", *COMMAND, "run", "suite.toml", "--quiet")
        done = sudo(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = [*(tmp_path / "results").rglob("*")]
    assert made
    assert {file.stat().st_uid for file in made} == {NOBODY.pw_uid}


@as_root
@pytest.mark.skipif(not Path("/usr/bin/sudo").exists(), reason="there is no sudo")
def test_the_real_sudo_in_a_terminal_is_never_waited_for(tmp_path: Path) -> None:
    """A user without a ticket, at a terminal: sudo could ask there, and is told not to."""
    meter = stand_in_meter(tmp_path / "meter")
    code = f"""
from energy.base import SourceUnavailable
from energy.powermetrics import powermetrics
try:
    powermetrics(path={str(meter)!r}).check()
except SourceUnavailable as error:
    print("said:", error)
"""
    ours, theirs = pty.openpty()
    with traversable(Path(sys.executable), Path(__file__)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
            user=NOBODY.pw_uid,
            group=NOBODY.pw_gid,
            extra_groups=[],
            env={**os.environ, "HOME": NOBODY.pw_dir, "TMPDIR": "/tmp"},
            timeout=TIMEOUT_S,
            text=True,
            check=False,
        )
    os.close(ours)
    os.close(theirs)
    assert "sudo wants a password" in done.stdout
    assert "sudo -v" in done.stdout
    assert not (tmp_path / "meter" / "ran-as").exists()  # where root alone could note that it ran
