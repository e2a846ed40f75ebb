"""What is written validates against the schema that is written beside it, in all three formats."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from bench.errors import UserError
from bench.report.dataset.add import add
from bench.report.export.collect import collect
from bench.report.export.schema import TABLES, Export, json_schema, schema_text
from bench.report.export.tables import SCHEMA_FILE, Format, export, parquet_schema, tables_of, write
from bench.report.story import Story
from bench.report.tables import write as write_summary
from tests.bench.processes import bench
from tests.bench.stored import stored_copy

ROOT = Path(__file__).resolve().parents[4]
HOSTILE = '=HYPERLINK("http://x","y")\x1b[31m'


@pytest.fixture(scope="module")
def runs(echo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs: one as it came, one with hostile answers, a failed request, and a void slot."""

    def edited(record: dict[str, Any]) -> dict[str, Any]:
        if record.get("block") == 1 and record.get("position") == 1:
            if record["type"] == "slot":
                void = {"start_s": None, "end_s": None, "joules": None, "error": "-worker died"}
                return {**record, **void}
            if record["type"] == "request":
                gone = dict.fromkeys(
                    ("tokens", "start_s", "gated_s", "prefilled_s", "end_s", "cut", "forwards")
                )
                return {**record, **gone, "tokens": [], "text": None, "error": "@worker died"}
        return {**record, "text": HOSTILE + "\ud800"} if record["type"] == "request" else record

    folder = tmp_path_factory.mktemp("export")
    return [echo_run, stored_copy(echo_run, folder / "hostile", blocks=2, edit=edited)]


def test_text_that_utf8_cannot_hold_is_spelt_out_in_every_kind_of_file(
    echo_run: Path, tmp_path: Path
) -> None:
    odd = {"suite__name": "a\ud800", "host__chip": "b\udcff", "prompts__file": "c\ud800"}
    run = stored_copy(echo_run, tmp_path / "runs" / "odd", blocks=2, **odd)
    for form in get_args(Format):
        export([run], form=form, out=tmp_path / ("odd.json" if form == "json" else form))
    Draft202012Validator(json_schema()).validate(json.loads((tmp_path / "odd.json").read_text()))
    rows = pq.read_table(collect([run], tmp_path / "odd.parquet").file).to_pylist()
    assert {row["chip"] for row in rows} == {"b\\udcff"}
    assert [one.run for one in add([run], tmp_path / "set")] == ["odd"]
    story = Story.of(run)
    written = write_summary(story.readback.run, story.summary)
    assert pq.read_table(written[1]).num_rows > 0


def row_schema(table: str) -> dict[str, Any]:
    """The part of the schema that is about one row, with the definitions it refers to."""
    schema = json_schema()
    return {**schema["$defs"][TABLES[table].__name__], "$defs": schema["$defs"]}


def validate(rows: list[dict[str, Any]], table: str) -> None:
    validator = Draft202012Validator(row_schema(table))
    assert rows
    for row in rows:
        validator.validate(row)


def from_csv(cell: str, schema: dict[str, Any]) -> Any:
    """A cell back as its type says, as the schema's text documents."""
    types = {schema.get("type"), *(choice["type"] for choice in schema.get("anyOf", []))}
    if cell == "" and "null" in types:
        return None
    if "boolean" in types:
        return {"true": True, "false": False}[cell]
    kinds = {"integer": int, "number": float}
    return next((convert(cell) for name, convert in kinds.items() if name in types), cell)


def test_json_validates_as_a_whole(runs: list[Path], tmp_path: Path) -> None:
    file, schema = export(runs, form="json", out=tmp_path / "all.json")
    document = json.loads(file.read_text())
    Draft202012Validator.check_schema(json.loads(schema.read_text()))
    Draft202012Validator(json.loads(schema.read_text())).validate(document)
    assert Export.model_validate(document).model_dump() == document
    assert {row["run"] for row in document["configurations"]} == {run.name for run in runs}


def test_parquet_validates_and_has_stated_types(runs: list[Path], tmp_path: Path) -> None:
    files = export(runs, form="parquet", out=tmp_path / "tables")
    assert [file.name for file in files] == [*(f"{name}.parquet" for name in TABLES), SCHEMA_FILE]
    for file in files[:-1]:
        table = pq.read_table(file)
        assert table.schema.equals(parquet_schema(file.stem))
        assert table.schema.metadata[b"schema_version"] == b"2"
        validate(table.to_pylist(), file.stem)


def test_csv_validates_once_its_cells_have_their_types(runs: list[Path], tmp_path: Path) -> None:
    for file in export(runs, form="csv", out=tmp_path / "tables")[:-1]:
        properties = row_schema(file.stem)["properties"]
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [{k: from_csv(v, properties[k]) for k, v in row.items()} for row in csv.DictReader(lines)]
        assert list(rows[0]) == list(properties)
        validate(rows, file.stem)


def test_the_same_rows_are_in_every_format(runs: list[Path], tmp_path: Path) -> None:
    tables = tables_of([Story.of(run) for run in runs])
    write(tables, form="parquet", out=tmp_path)
    for name, rows in tables.items():
        assert pq.read_table(tmp_path / f"{name}.parquet").to_pylist() == rows


def test_text_that_a_spreadsheet_would_run_is_defused(runs: list[Path], tmp_path: Path) -> None:
    export(runs, form="csv", out=tmp_path)
    texts = [file.read_text(encoding="utf-8") for file in tmp_path.glob("*.csv")]
    cells = [cell for text in texts for row in csv.reader(text.splitlines()) for cell in row]
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert "'@worker died" in cells
    assert "'-worker died" in cells
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in cells)
    for cell in cells:
        assert "\x1b" not in cell
        if cell.startswith("-"):
            float(cell)


def test_every_row_with_joules_says_what_they_are(runs: list[Path]) -> None:
    tables = tables_of([Story.of(run) for run in runs])
    slots = [row for row in tables["windows"] if row["gross_j"] is not None]
    assert slots
    for row in [*slots, *tables["configurations"]]:
        assert (row["kind"], row["boundary"], row["grade"]) == ("modelled", "modelled", 0)
    for row in slots:
        assert row["cpu_j"] == pytest.approx(row["gross_j"])
        assert row["gpu_j"] is None  # not metered is null, not 0
    assert not any("_j" in column for column in TABLES["requests"].model_fields)


def test_what_did_not_happen_is_null(runs: list[Path]) -> None:
    tables = tables_of([Story.of(runs[1])])
    void = [row for row in tables["windows"] if row["error"]]
    assert len(void) == 1
    for row in void:
        assert row["gross_j"] is row["kind"] is row["generated_tokens"] is row["seconds_s"] is None
    failed = [row for row in tables["requests"] if row["error"]]
    assert failed
    for row in failed:
        assert row["generated_tokens"] is row["decode_s"] is row["start_s"] is None
    numbers = [v for rows in tables.values() for row in rows for v in row.values() if isinstance(v, float)]
    assert all(map(math.isfinite, numbers))


def test_requests_add_up_to_their_slots(echo_run: Path) -> None:
    tables = tables_of([Story.of(echo_run)])
    for slot in tables["windows"]:
        place = slot["block"], slot["position"]
        mine = [row for row in tables["requests"] if (row["block"], row["position"]) == place]
        assert len(mine) == slot["requests"] == 2 * slot["repeats"]
        assert sum(row["generated_tokens"] for row in mine) == slot["generated_tokens"]
        spent = sum(row["gate_s"] + row["prefill_s"] + row["decode_s"] for row in mine)
        assert 0.5 * slot["seconds_s"] < spent <= slot["seconds_s"]


def test_the_committed_schema_is_what_the_models_generate() -> None:
    committed = (ROOT / "docs" / "export.schema.json").read_text()
    assert committed == schema_text(), "type: bench export --schema > docs/export.schema.json"


def test_every_column_is_described() -> None:
    for table in TABLES:
        for column, schema in row_schema(table)["properties"].items():
            assert len(schema["description"]) > 5, f"{table}.{column}"


def test_unknown_columns_are_not_valid(echo_run: Path) -> None:
    row = tables_of([Story.of(echo_run)])["configurations"][0]
    assert not Draft202012Validator(row_schema("configurations")).is_valid({**row, "extra": 1})
    assert not Draft202012Validator(row_schema("configurations")).is_valid({**row, "schema_version": 1})


def test_mistakes_say_what_to_type(echo_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'parquet'"):
        export([echo_run], form="parket", out=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--out"):
        export([echo_run], form="csv", out=tmp_path / "file")
    with pytest.raises(UserError, match="is not a run folder"):
        export([tmp_path], form="csv", out=tmp_path)


def test_the_command_writes_and_prints_the_schema(echo_run: Path, tmp_path: Path) -> None:
    done = bench("export", str(echo_run), "--format", "json", "--out", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"export.json", SCHEMA_FILE}
    schema = bench("export", "--schema", cwd=tmp_path)
    assert json.loads(schema.stdout) == json_schema()
    nothing = bench("export", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "name a run folder" in nothing.stderr
