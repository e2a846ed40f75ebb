"""What other commands know of the same run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.report.page.outputs import claims_table, other_tables
from bench.report.readback import read_back
from bench.run.store import read


def test_a_suite_that_re_runs_no_claim_has_no_table_of_claims(echo_run: Path) -> None:
    assert claims_table(read_back(read(echo_run))) is None


def test_a_claim_suite_has_its_claims_judged(echo_run: Path) -> None:
    run = read(echo_run)
    suite = replace(run.header.suite, path="/anywhere/routing_short.toml")
    readback = read_back(replace(run, header=replace(run.header, suite=suite)))
    table = claims_table(readback)
    assert table is not None
    assert "routing.short.tokens" in [row[0] for row in table.rows]
    assert table.title == "What this suite re-runs: 3 claims of the papers and 1 inference of this project"
    assert [row[1] for row in table.rows] == ["paper", "paper", "paper", "inference"]
    assert all(len(row) == len(table.columns) for row in table.rows)


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
