"""Files are whole or not there, what others made stays, and no cell of a CSV is a formula."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.errors import UserError
from bench.show.files import check_new, csv_text, growing, together, write
from tests.bench.report.page.hostile import PIECES

FORMULAS = ('=HYPERLINK("http://x","y")', "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1")


def names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def test_a_file_replaces_the_one_before_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / ".out.txt").write_text("somebody's")
    write(tmp_path / "out.txt", "old")
    assert write(tmp_path / "out.txt", "né").read_bytes() == "né".encode()
    assert names(tmp_path) == {"out.txt", ".out.txt"}
    assert (tmp_path / ".out.txt").read_text() == "somebody's"


def test_a_file_has_the_permissions_that_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    assert write(tmp_path / "out", "x").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_goes_wrong_leaves_the_old_file(tmp_path: Path) -> None:
    file = write(tmp_path / "out", "old")
    with pytest.raises(ZeroDivisionError), growing(file) as staging:
        staging.write_text(f"{staging.write_text('half') // len('')}")
    assert file.read_text() == "old"
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize(
    ("place", "why"), [("none/out", "No such file"), ("folder", "it is there and is no file")]
)
def test_a_file_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path, place: str, why: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"can't write {tmp_path / place} .*{why}.*; choose another"):
        write(tmp_path / place, "x")
    assert names(tmp_path) == set()


def test_a_file_that_is_there_or_has_no_folder_is_refused(tmp_path: Path) -> None:
    check_new(tmp_path / "a.toml")
    with pytest.raises(UserError, match="mkdir -p"):
        check_new(tmp_path / "none" / "a.toml")
    with pytest.raises(UserError, match="not overwritten"):
        check_new(tmp_path)


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no file"):
        write(tmp_path / "pipe", "x")
    assert (tmp_path / "pipe").is_fifo()


def test_several_files_appear_at_the_end_and_those_of_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with together(folder, last="page") as staging:
        (staging / "below").mkdir()
        (staging / "below" / "table").write_text("1")
        (staging / "page").write_text("2")
        assert not (folder / "page").exists()
    (folder / "mine").write_text("mine")
    with together(folder) as staging:
        (staging / "page").write_text("3")
    assert names(folder) == {"below/table", "page", "mine"}
    assert (folder / "page").read_text() == "3"


def test_none_of_several_files_appears_if_one_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), together(tmp_path) as staging:
        (staging / "two").write_text(f"{(staging / 'one').write_text('1') // len('')}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another folder with --out"), together(tmp_path / "file"):
        pass


@pytest.mark.parametrize("text", [*FORMULAS, *PIECES])
def test_no_cell_and_no_heading_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_text(["a", text], [{"a": text}, [1, text]]), newline="")))
    cells = [cell for row in rows for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert not any(char in cell for cell in cells for char in ("\x1b", "\x00", "\u202e"))


def test_numbers_stay_numbers_and_what_was_not_measured_is_empty() -> None:
    row = [-1.5, np.float64(0.5), np.int64(3), math.nan, None, "-1.5", True]
    assert csv_text(list("abcdefg"), [row]).splitlines()[1] == "-1.5,0.5,3,,,-1.5,True"
    assert csv_text(["a", "b"], [{"b": 1}]).splitlines() == ["a,b", ",1"]


def test_nothing_else_writes_csv() -> None:
    root = Path(bench.__file__).parent
    for file in root.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "DictWriter" not in text, file
        assert ("csv.writer" in text) == (file == root / "show" / "files.py"), file
