"""The board: what stood the checks, sorted in a real browser; what did not has no figure on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.dataset.board import write_board
from bench.report.dataset.check import check
from bench.report.dataset.folder import read_rows, run_files
from tests.bench.processes import bench
from tests.bench.report.page.browser import Browser, browser_or_skip

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_or_skip() as found:
        yield found


@pytest.fixture(scope="module")
def board(decoded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three runs, one of which has lost its raw readings."""
    folder = tmp_path_factory.mktemp("board")
    dataset = shutil.copytree(decoded, folder / "set")
    shutil.rmtree(run_files(dataset)[0].with_suffix(""))
    return write_board(list(check(dataset)), folder / "board.html")


def test_runs_that_are_not_believed_have_a_reason_and_no_figure(board: Path, decoded: Path) -> None:
    text = board.read_text()
    lost, *_ = run_files(decoded)
    assert f"<strong>{lost.stem}</strong>: rows: they can" in text
    assert f'<span class="range">{lost.stem}' not in text
    assert "2 runs of 1 machine, computed anew; 1 run not believed" in text
    assert "simulated, NOT a measurement" in text
    assert "No run of these is fit for a claim" in text


@pytest.mark.parametrize("width", [1280, 390])
def test_it_sorts_fits_and_asks_for_nothing(board: Path, browser: Browser, width: int) -> None:
    with browser.opened(board, width=width) as opened:
        assert opened.said == []
        assert opened.asked == [board.as_uri()]
        assert opened.overflow <= 0
        assert opened.violations() == []
        if width == 1280:
            shown = (
                "[...document.querySelectorAll('tbody tr')].map(row => Number(row.cells[3].dataset.value))"
            )
            for ascending in (True, False):
                opened.page.get_by_role("button", name="J/token").click()
                values = opened.page.evaluate(shown)
                assert values == sorted(values, reverse=not ascending)
                assert len(set(values)) > 2


def test_names_that_somebody_sends_stay_text(dataset: Path, browser: Browser, tmp_path: Path) -> None:
    file, *_ = run_files(dataset)
    header = file.with_suffix("") / "run.json"
    told = json.loads(header.read_text())
    told["host"]["chip"] = HOSTILE
    header.write_text(json.dumps(told))
    page = write_board(list(check(dataset, [file.stem])), tmp_path / "board.html")
    assert HOSTILE not in page.read_text()
    with browser.opened(page) as opened:
        assert opened.said == []


def test_the_command_writes_every_row_that_has_joules(decoded: Path, tmp_path: Path) -> None:
    done = bench("data", "board", str(decoded), "--out", "b.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [row for row in read_rows(decoded).to_pylist() if not row["a_a"]]
    assert (tmp_path / "b.html").read_text().count('<th scope="row"') == len(rows)
