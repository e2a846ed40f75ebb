"""A claim of a user's own: one file, in words and figures, judged on its record and on a run."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from bench.studies.claims.own_claims import read_claims
from tests.bench.at_hand import QUICK
from tests.bench.suites import write_suite
from tests.outside.conftest import Outside

CLAIM = """
["somebody.energy"]
paper = "Somebody 2026"
text = "The gate [bold]saves[/] 40 % of the energy"
source = "table 3"
published_percent = -40.0
record = { before = 10.0, after = 6.0, again = 10.1, unit = "J" }
suite = "suite.toml"
gate = "length"
amount = "energy"
"""


def write(file: Path, text: str = CLAIM) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def judged(outside: Outside, file: Path, *more: str) -> dict[str, object]:
    (row,) = json.loads(outside.works("reproduce", "--claims", str(file), *more, "--json"))
    return dict(row)


def test_it_stands_in_the_table_and_follows_from_its_record(outside: Outside) -> None:
    file = write(outside.folder / "claims.toml")
    shown = outside.works("reproduce", "--claims", str(file))
    assert "somebody.energy" in shown
    assert "routing.short.tokens" not in shown
    assert "The gate [bold]saves[/] 40 % of the energy" in shown
    row = judged(outside, file)
    assert row["verdict"] == "reproduced"
    assert "A/A is +1.0 %" in str(row["why"])
    assert outside.files == ["claims.toml"]


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        ("record = { before = 10.0, after = 8.0 }", "not reproduced"),
        ("record = { before = 10.0, after = 6.1, again = 6.0 }", "reproduced but inside the A/A error"),
        ("", "not testable here"),
    ],
)
def test_its_record_decides(outside: Outside, record: str, verdict: str) -> None:
    lines = [record if line.startswith("record") else line for line in CLAIM.splitlines()]
    assert judged(outside, write(outside.folder / "claims.toml", "\n".join(lines)))["verdict"] == verdict


def test_it_is_judged_on_a_run_of_its_suite(outside: Outside) -> None:
    suite = write_suite(outside.folder, **QUICK)
    file = write(outside.folder / "claims.toml")
    run = outside.run(suite)
    (again,) = judged(outside, file, "--run", str(run))["remeasured"]  # type: ignore[misc]
    assert again["kind"] == "modelled"
    assert again["blocks"] == 1
    assert again["integrated"]["verdict"] == "not testable here"  # one block
    assert "not enough" in again["integrated"]["why"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CLAIM.replace("somebody.energy", "routing.short.energy"), "there is a claim 'routing.short.energy'"),
        (CLAIM + "publishd_percent = -1", "did you mean 'published_percent'"),
        (CLAIM.replace("before = 10.0", "before = 0"), "before"),
        ("x = 3", "holds no claims"),
        ("[", "not valid TOML"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(outside: Outside, text: str, said: str) -> None:
    assert said in outside.refused("reproduce", "--claims", str(write(outside.folder / "c.toml", text)))


def test_a_file_that_is_not_there_is_refused(outside: Outside) -> None:
    assert "can't read the claims" in outside.refused("reproduce", "--claims", "nowhere.toml")


@pytest.mark.parametrize("name", ["x" * 300, "a\\u0000b"])
def test_a_suite_of_a_name_that_no_file_can_have_is_no_file_beside_it(tmp_path: Path, name: str) -> None:
    line = next(line for line in CLAIM.splitlines() if line.startswith("suite"))
    file = write(tmp_path / "c.toml", CLAIM.replace(line, f'suite = "{name}"'))
    (claim,) = read_claims([file]).values()
    assert claim.suite == tomllib.loads(f'suite = "{name}"')["suite"]
