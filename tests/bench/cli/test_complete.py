"""What Tab offers, by the protocol of the shell's own completion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import complete
from bench.cli.init.answers import QUESTIONS
from bench.suite.bundled import suite_names
from tests.bench.processes import bench

PROGRAM = {"_BENCH_COMPLETE": "complete_bash"}


def tab(line: str, *, cwd: Path) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    done = bench(cwd=cwd, **PROGRAM, COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bench ini", ["init"]),
        ("bench run q", ["quick"]),
        ("bench run wei", ["weights.gguf"]),
        ("bench run --energy mod", ["modelled"]),
        ("bench run --backend ec", ["echo"]),
        ("bench models fetch smo", ["smollm2-135m"]),
        ("bench quality smollm2-135m --cut kv_b", ["kv_bits=", "kv_bits_k=", "kv_bits_v="]),
        ("bench init --question c", ["cost", "cut"]),
        ("bench report results/2", ["results/2026-b", "results/2026-a"]),
    ],
)
def test_bash_is_offered_what_fits(tmp_path: Path, line: str, offered: list[str]) -> None:
    for name in ("2026-a", "2026-b", "no-run"):
        (tmp_path / "results" / name).mkdir(parents=True)
    for name in ("2026-a", "2026-b"):
        (tmp_path / "results" / name / "run.json").touch()
    (tmp_path / "weights.gguf").touch()
    assert tab(line, cwd=tmp_path) == offered


def test_files_are_offered_beside_what_comes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.toml", "pyproject.toml", "set.jsonl"):
        (tmp_path / name).touch()
    assert complete.suites("") == [*suite_names(), "mine.toml"]
    assert "set.jsonl" in complete.prompts("")
    assert complete.runs("results/") == []
    assert complete.runs("nowhere/x") == []


def test_what_is_offered_exists() -> None:
    from backends.cut import Cut
    from backends.cut_keys import added_keys

    assert "quick" in suite_names()
    assert not {"models", "isolate"} & set(suite_names())
    assert {cut.rstrip("=") for cut in complete.cuts("")} <= {*Cut.model_fields, *added_keys()}
    assert set(complete.questions("")) == set(QUESTIONS)


def test_it_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys; from bench.cli import complete\n"
        "[getattr(complete, name)('') for name in "
        "('suites', 'models', 'prompts', 'backends', 'energy', 'cuts', 'runs', 'questions')]\n"
        "print([name for name in ('pydantic', 'numpy', 'rich', 'torch', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bash_gets_its_script(tmp_path: Path) -> None:
    done = bench(cwd=tmp_path, _BENCH_COMPLETE="source_bash")
    assert "complete -o default -F _bench_completion bench" in done.stdout
