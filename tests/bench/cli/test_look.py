"""`bench runs` and `bench plot`, as a user types them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.app import app
from bench.errors import UserError
from bench.report.figures.names import names
from benchmarks.long_run import make_long_run
from tests.bench.processes import bench


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_long_run(tmp_path_factory.mktemp("looked"), hours=0.06, slot_s=2.0, prompts=2)


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_figures_are_listed_with_their_titles(run: Path) -> None:
    shown = typed("plot", str(run))
    assert shown.exit_code == 0
    first = [line.split()[0] for line in shown.stdout.splitlines() if line.strip()]
    assert [word for word in first if word in names()] == names()
    assert re.search(r"Power over time: .*, simulated, NOT a measurement", shown.stdout)
    assert typed("plot", str(run), "list").stdout == shown.stdout


@pytest.mark.parametrize(("form", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_a_figure_goes_to_the_report_folder(run: Path, form: str, magic: bytes) -> None:
    shown = typed("plot", str(run), "savings", "--format", form)
    file = run / "report" / f"savings.{form}"
    assert shown.stdout.strip() == str(file)
    assert file.read_bytes().startswith(magic)


def test_the_file_says_the_format(run: Path, tmp_path: Path) -> None:
    typed("plot", str(run), "drift", "--out", str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pwoer"], "did you mean 'power'"),
        (["power", "--format", "gif"], "known: pdf, png, svg"),
        (["power", "--format", "svg", "--out", "a.png"], "leave one of them out"),
        (["power", "--out", "/no/such/folder/a.png"], "choose another file with --out"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(run: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        typed("plot", str(run), *arguments)


def test_a_figure_that_a_run_has_nothing_for_says_why(run: Path, tmp_path: Path) -> None:
    header = json.loads((run / "run.json").read_text(encoding="utf-8"))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(header), encoding="utf-8")
    with pytest.raises(UserError, match="power can't be drawn: the meter left no readings"):
        typed("plot", str(folder), "power")
    assert "not drawn" in typed("plot", str(folder)).stdout


def test_a_mistake_ends_with_exit_code_2_and_no_traceback(tmp_path: Path) -> None:
    done = bench("plot", "nowhere", "power", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("bench: nowhere is not a run folder")
    assert len(done.stderr.splitlines()) == 1


def test_runs_are_listed(run: Path) -> None:
    shown = typed("runs", "--out", str(run.parent))
    assert run.name in shown.stdout
    assert "simulated" in shown.stdout


def test_runs_are_listed_although_one_of_them_is_damaged(run: Path, tmp_path: Path) -> None:
    for name in ("good", "bad"):
        shutil.copytree(run, tmp_path / name)
    (tmp_path / "bad" / "run.json").write_text("{")
    done = bench("runs", "--out", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"^ *good +", done.stdout, flags=re.MULTILINE)
    assert "bad" not in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "is not a run folder: it has no readable run.json" in done.stderr
