"""The papers' protocol as it was: what it does, what it shows, and that no verdict rests on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.claims import ChangeParts
from analysis.values import Withheld
from bench.cli.judge import reproduce as run_and_judge
from bench.errors import UserError
from bench.report.export.collect import collect
from bench.report.readback import read_back
from bench.report.summary import summarise
from bench.run import store
from bench.run.workers.group import Workers
from bench.studies.claims.for_programs import to_csv
from bench.studies.claims.repeated import Repeated
from bench.studies.claims.reproduce import reproduce
from bench.suite.prepare import as_published as by_the_papers_protocol
from bench.suite.prepare import prepare, prepare_again
from tests.bench.at_hand import QUICK, at_hand
from tests.bench.suites import write_suite

ENERGY = "routing.short.energy"
GATES = {"norm_fraction": {"plugin": "length", "tokens": 12}, "ungated": {}}


@pytest.fixture(scope="module")
def repeated_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run by the papers' protocol, and what its workers were started and asked to do, in order."""
    folder = tmp_path_factory.mktemp("repeated")
    file = write_suite(folder, **QUICK, gates=GATES, protocol__blocks=5)
    did: list[str] = []
    with at_hand(), pytest.MonkeyPatch.context() as patch:
        for name in ("_start", "_warm_up_model", "_guard"):
            patch.setattr(Workers, name, _noting(name, getattr(Workers, name), did))
        patch.setattr("bench.studies.claims.statements.suites", lambda _: [str(file)])
        run_and_judge(
            [ENERGY], measure=True, as_published=True, out=folder / "out", allow_root=True, as_json=True
        )
    return next((folder / "out").iterdir()), did


def _noting(name: str, method, did: list[str]):
    def noted(self: Workers, *args, **options):
        did.append(name)
        return method(self, *args, **options)

    return noted


def test_arms_run_once_each_one_after_another_and_the_ungated_one_first(repeated_run) -> None:
    folder, _ = repeated_run
    rows = read_back(store.read(folder)).slots
    assert [row.arm for row in rows] == ["echo", "echo norm_fraction", "echo (A/A)"]
    assert {row.requests for row in rows} == {2}  # one pass over two prompts


def test_the_workers_that_are_measured_have_answered_nothing_yet(repeated_run) -> None:
    """The gate is checked in other processes, which are then ended."""
    assert repeated_run[1] == ["_start", "_warm_up_model", "_warm_up_model", "_guard", "_start"]


def test_the_error_is_shown_beside_the_gate_and_taken_apart(repeated_run) -> None:
    (row,) = reproduce([ENERGY], [repeated_run[0]])
    assert row.remeasured == ()
    (again,) = row.repeated
    assert again.kind == "modelled"
    for part in (again.gate, again.a_a):
        assert isinstance(part, ChangeParts)
        factors = (1 + part.time_percent / 100) * (1 + part.power_percent / 100)
        assert factors == pytest.approx(1 + part.energy_percent / 100)
    assert "the baseline again" in to_csv([row])


def test_no_verdict_rests_on_such_a_run(repeated_run, tmp_path: Path) -> None:
    run = store.read(repeated_run[0])
    rows = read_back(run).slots
    assert all("published protocol" in (row.excluded or "") for row in rows)
    assert {arm.verdict for arm in summarise(read_back(run)).rows} == {None, "not enough blocks"}
    data = collect([repeated_run[0]], tmp_path / "runs.parquet").file
    (row,) = reproduce([ENERGY], [data])
    assert all(again.integrated.verdict == "not testable here" for again in row.remeasured)


def test_a_run_that_was_cut_short_goes_on_by_the_same_protocol(repeated_run, tmp_path: Path) -> None:
    run = store.read(repeated_run[0])
    assert json.loads((run.folder / "run.json").read_text())["overrides"]["as_published"] is True
    again = prepare_again(run.header)
    asked = by_the_papers_protocol(prepare(Path(run.header.suite.path)))
    assert (again.blocks, again.suite, again.as_published) == (asked.blocks, asked.suite, True)


def test_a_change_is_inside_the_error_where_no_change_gives_as_much() -> None:
    def parts(energy: float) -> ChangeParts:
        return ChangeParts(energy_percent=energy, time_percent=energy, power_percent=0.0)

    published = Repeated(run="r", backend="torch", kind="measured", gate=parts(-52.95), a_a=parts(-65.8))
    assert published.inside is True
    assert replace(published, a_a=parts(10.0)).inside is False
    assert replace(published, a_a=parts(150.0)).inside is True  # as log-ratios
    assert replace(published, a_a=Withheld("no joules")).inside is None


def test_it_has_to_be_run() -> None:
    with pytest.raises(UserError, match="add --measure"):
        run_and_judge([ENERGY], as_published=True)
