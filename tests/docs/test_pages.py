"""The pages for users: their commands can be typed, their links lead somewhere, their notebook runs."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from bench import measure
from tests.bench.processes import AS_ROOT, bench
from tests.bench.runs import run_suite
from tests.families import save_tiny
from tests.tiny_models import edit_config

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COST = (DOCS / "cost.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("    $ ") for line in COST.splitlines() if line.startswith("    $ ")]


def test_what_the_first_page_says_to_type_can_be_typed(tmp_path: Path) -> None:
    (tmp_path / "my.txt").write_text("one prompt\nanother prompt\n")
    edit_config(save_tiny("llama", tmp_path / "smollm2-4bit"), quantization={"bits": 4, "group_size": 64})
    assert len(COMMANDS) >= 5
    for command in COMMANDS:
        typed = shlex.split(command)[1:]
        more = () if "--dry-run" in typed else ("--dry-run",)
        done = bench(*typed, *more, "--energy", "modelled", *AS_ROOT, cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if heading:
            assert heading in _headings(file), target


def test_every_page_is_listed() -> None:
    listed = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in (*PAGES, DOCS / "notebook.ipynb", DOCS / "measure.ipynb"):
        assert page.name == "README.md" or f"({page.name})" in listed, page.name


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_suite(tmp_path)
    mpl.use("Agg")
    monkeypatch.chdir(run.parents[1])
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    names: dict[str, object] = {}
    for cell in json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    rows, by_block = names["configurations"], names["by_block"]
    assert set(rows["kind"]) == {"modelled"}  # type: ignore[index]
    assert (by_block > 0).all()  # type: ignore[attr-defined,operator]


def test_the_notebook_on_measuring_runs() -> None:
    names: dict[str, object] = {}
    cells = json.loads((DOCS / "measure.ipynb").read_text(encoding="utf-8"))["cells"]
    first, *others = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    measure.start("modelled", interval_ms=10)
    try:
        exec(first.replace("30_000_000", "3_000_000"), names)
        for cell in others:
            exec(cell, names)
    finally:
        measure.stop()
    table = names["table"]
    assert set(table["kind"]) == {"modelled"}  # type: ignore[index]
    assert list(table.index) == ["sum", "sines"]  # type: ignore[attr-defined]
    assert (table["joules"] > 0).all()  # type: ignore[index]


def _headings(page: Path) -> set[str]:
    """The anchors that a page has."""
    lines = (line.lstrip("# ") for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "#")
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}
