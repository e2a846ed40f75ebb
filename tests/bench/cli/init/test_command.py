"""`bench init` as it is typed: options, answers on standard input, and nobody to ask."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bench.processes import AS_ROOT, Done, bench


def init(*arguments: str, cwd: Path, answers: str = "") -> Done:
    """`bench init` with these lines on standard input."""
    return bench("init", *arguments, *AS_ROOT, cwd=cwd, stdin=answers)


def test_answers_on_standard_input_make_a_suite_that_passes_a_dry_run(tmp_path: Path) -> None:
    done = init("my.toml", "--no-pilot", cwd=tmp_path, answers="echo\n\n90\n")
    assert done.returncode == 0, done.stderr
    assert "What do you want to find out?" in done.stdout
    assert "next: bench run my.toml (about " in done.stdout
    plan = bench("run", "my.toml", "--dry-run", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert "2 configurations" in plan.stdout  # what it costs is the first question, and what is usual
    assert done.stdout.index("cost ") < done.stdout.index("gate ")
    assert re.search(r"with their interval over \d+ blocks", " ".join(done.stdout.split()))


def test_options_are_answers_too_and_an_existing_file_stays(tmp_path: Path) -> None:
    asked = ("my.toml", "--model", "echo", "--question", "cut", "--minutes", "45", "--no-pilot")
    done = init(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "?" not in done.stdout
    again = init(*asked, cwd=tmp_path)
    assert again.returncode == 2
    assert "not overwritten" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "answers", "missing"),
    [((), "", "--model"), (("--model", "echo"), "", "--question"), ((), "echo\ngate\n", "--minutes")],
)
def test_without_an_answer_and_anybody_to_ask_the_option_is_named(
    tmp_path: Path, arguments: tuple[str, ...], answers: str, missing: str
) -> None:
    done = init(*arguments, cwd=tmp_path, answers=answers)
    assert done.returncode == 2
    assert f"give {missing}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_answer_in_a_script_ends_it(tmp_path: Path) -> None:
    done = init("--model", "echo", cwd=tmp_path, answers="everything\n")
    assert done.returncode == 2
    assert "unknown --question 'everything'; known: backend, cost, cut, gate" in done.stderr
