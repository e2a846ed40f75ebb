"""Tables that other commands left beside a run."""

from __future__ import annotations

from pathlib import Path

from bench.report.page.outputs import other_tables


def test_tables_that_were_left_beside_the_run_are_taken_in(tmp_path: Path) -> None:
    (tmp_path / "isolate.csv").write_text('backend,"<b>J"\ntorch,1.5\nmlx\n')
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.csv").write_text("")
    (tmp_path / "else.csv").write_text("a\n1\n")
    first, second = other_tables(tmp_path)
    assert first.title == "From isolate.csv"
    assert first.headings == ("backend", "<b>J")
    assert first.rows == [["torch", "1.5"], ["mlx", None]]
    assert second.rows == []
