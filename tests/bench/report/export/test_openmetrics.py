"""What `bench export --openmetrics` prints, read by Prometheus' own parser."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from bench.report.export.openmetrics import FAMILIES, text_of
from bench.report.export.tables import tables_of
from bench.report.story import Story
from tests.bench.processes import bench

HOSTILE = 'a "quoted" \\ name\nwith lines \x1b[31m'


def test_the_configurations_of_a_run_are_gauges_with_units(echo_run: Path, tmp_path: Path) -> None:
    done = bench("export", str(echo_run), "--openmetrics", cwd=tmp_path)
    assert done.returncode == 0
    families = {family.name: family for family in parse(done.stdout)}
    rows = tables_of([Story.of(echo_run)])["configurations"]
    energy = families["joulebench_energy_per_token_joules"]
    assert (energy.type, energy.unit) == ("gauge", "joules")
    assert {sample.labels["configuration"]: sample.value for sample in energy.samples} == {
        row["configuration"]: row["joules_per_token"] for row in rows
    }
    assert {sample.labels["kind"] for sample in energy.samples} == {"modelled"}
    assert not list(tmp_path.iterdir())
    bench("export", str(echo_run), "--openmetrics", "--out", "run.prom", cwd=tmp_path)
    assert (tmp_path / "run.prom").read_text(encoding="utf-8") == done.stdout


def test_labels_are_escaped_and_what_is_not_measured_has_no_sample() -> None:
    row = {family.column: None for family in FAMILIES} | {
        "run": HOSTILE,
        "suite": "s",
        "backend": "b",
        "gate": "g",
        "configuration": "c",
        "kind": "modelled",
        "boundary": None,
        "joules_saved_percent": -3.0,
        "blocks": 5,
    }
    text = text_of([row])
    assert text.endswith("# EOF\n")
    assert "\x1b" not in text
    saved, blocks = parse(text)
    assert saved.samples[0].value == pytest.approx(-0.03)
    assert saved.samples[0].labels["run"] == HOSTILE.replace("\x1b", "␛")
    assert "boundary" not in saved.samples[0].labels
    assert (blocks.name, blocks.unit, blocks.samples[0].value) == ("joulebench_blocks", "", 5.0)


def test_no_run_is_a_valid_text_too() -> None:
    assert list(parse(text_of([]))) == []


def test_a_unit_is_the_end_of_its_name() -> None:
    assert all(family.full_name.endswith(family.unit) for family in FAMILIES)
    assert len({family.full_name for family in FAMILIES}) == len(FAMILIES)
