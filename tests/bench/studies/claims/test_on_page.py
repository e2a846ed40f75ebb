"""The published claims on the page of a run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.report.readback import read_back
from bench.run.store import read
from bench.studies.claims.on_page import claims_table
from tests.bench.processes import bench


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


@pytest.mark.usefixtures("no_figures")
def test_the_report_of_a_claim_suite_has_the_table(echo_run: Path, tmp_path: Path) -> None:
    shutil.copytree(echo_run, tmp_path / "run", ignore=shutil.ignore_patterns("report"))
    header = tmp_path / "run" / "run.json"
    fields = json.loads(header.read_text(encoding="utf-8"))
    fields["suite"]["path"] = "/anywhere/routing_short.toml"
    header.write_text(json.dumps(fields), encoding="utf-8")
    done = bench("report", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "routing.short.tokens" in (tmp_path / "run" / "report" / "claims.csv").read_text(encoding="utf-8")
