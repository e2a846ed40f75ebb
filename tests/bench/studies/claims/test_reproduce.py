"""Claims against their record, and against runs with a known answer."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis.claims import Rerun
from analysis.values import Estimate, Withheld
from bench.cli.app import app
from bench.cli.judge import register
from bench.cli.judge import reproduce as run_and_judge
from bench.errors import UserError
from bench.report.readback import read_back
from bench.report.rows import after_the_run
from bench.run import store
from bench.studies.claims.evidence import Evidence
from bench.studies.claims.for_programs import COLUMNS, to_csv, to_json
from bench.studies.claims.reproduce import JudgedClaim, Remeasured, reproduce
from bench.studies.claims.statements import choose, statements, suites
from bench.studies.claims.tables import show
from bench.suite.asked import Asked, asked_by_suite
from bench.suite.bundled import configs_folder
from bench.suite.config import Model
from tests.analysis.slots import run_slots
from tests.bench.at_hand import QUICK, at_hand, quick
from tests.bench.processes import bench
from tests.bench.suites import write_suite

ENERGY = "routing.short.energy"
OWN = asked_by_suite("published/routing_short")


@pytest.fixture
def judged_on(monkeypatch: pytest.MonkeyPatch):
    """Judge a claim on synthetic slots: `gated` becomes the arm of the claim's gate."""

    def judge(name: str, asked: Asked = OWN, **run: object) -> Remeasured:
        names = {
            "ungated": "torch",
            "gated": "torch norm_fraction",
            "ungated again": "torch (A/A)",
        }
        slots = [replace(slot, arm=names[slot.arm], backend="torch") for slot in run_slots(**run)]  # type: ignore[arg-type]
        evidence = Evidence(
            runs=("r1",),
            asked=asked,
            baseline="ungated",
            slots=slots,
            slots_after=None,
            readback=None,
        )
        monkeypatch.setattr("bench.studies.claims.reproduce.gather", lambda _: [evidence])
        (row,) = reproduce([name], [Path("anything")])
        (again,) = row.remeasured
        return again

    return judge


def rendered(judged: list[JudgedClaim], width: int, *, named: bool = True) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    show(judged, console, named=named)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_figures_that_a_claim_quotes_are_those_of_the_record() -> None:
    quoted = {row.statement.name: row for row in reproduce(["routing.short"])}
    for name, change in (("routing.short.tokens", -57.2), ("routing.short.energy", -53.0)):
        assert quoted[name].record.change_percent == change
        assert f"{-change} %" in quoted[name].statement.text


def test_every_claim_of_the_record_has_words_and_the_reverse() -> None:
    record = {row.record.name for row in reproduce()}
    assert record == set(statements())
    root = configs_folder().parent
    for statement in statements().values():
        assert (root / statement.recompute).is_file()
        assert statement.suite is None or (configs_folder() / f"{statement.suite}.toml").is_file()


def test_the_table_holds_every_published_figure_with_its_source(tmp_path: Path) -> None:
    judged = reproduce()
    for width in (80, 120):
        text = rendered(judged, width)
        assert max(len(line) for line in text.splitlines()) <= width
        for figure in ("-57.2 %", "-52.95 %", "+9.93 %", "-75.33 %", "+204 %", "-0.47 %", "-65.84"):
            assert figure in text
        for p in ("0.64", "0.78", "0.48", "0.57", "3.9e-05"):
            assert p in text
        assert "0.3162 (0.3162)" in text  # the modulus table
        assert "gate inactive" in text
    for row in judged:
        assert f"source      {row.statement.paper}, " in rendered([row], 200)


def test_csv_and_json_hold_what_the_table_has_no_room_for() -> None:
    judged = reproduce(["correlation"])
    rows = list(csv.DictReader(io.StringIO(to_csv(judged))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(judged)
    assert "p of 5 distinct points 0.64" in rows[1]["controls"]
    assert json.loads(json.dumps(to_json(judged)))[1]["name"] == "correlation.tinyllama"


INFERENCES = {"routing.short.energy_per_token", "routing.protocol", "redundancy.speed"}


def test_what_this_project_infers_is_shown_and_counted_apart() -> None:
    judged = reproduce()
    of_papers = [row for row in judged if row.statement.whose == "paper"]
    for width in (80, 120):
        text = rendered(judged, width, named=False)
        assert f"{len(of_papers)} claims of the papers on the record: " in text
        assert "21 claims of the literature on the record: 21 not testable here." in text
        assert "3 inferences of this project on the record: 3 not reproduced." in text
        table = text[: text.index("bench reproduce CLAIM")]
        assert len(table.splitlines()) <= len(judged) + 20, "a line a claim, and the names of families"
        assert "why" not in table
        _, routing, redundancy = table.split(", inferred")
        assert "short.energy_per_token" in routing
        assert "protocol" in routing
        assert "speed" in redundancy
    assert {row["name"] for row in to_json(judged) if row["whose"] == "inference"} == INFERENCES
    rows = csv.DictReader(io.StringIO(to_csv(judged)))
    assert {row["claim"] for row in rows if row["whose"] == "inference"} == INFERENCES


def test_a_beginning_chooses_a_family_and_a_typo_is_told() -> None:
    assert [s.name for s in choose(["routing.mixed"])] == ["routing.mixed.tokens", "routing.mixed.energy"]
    with pytest.raises(UserError, match=r"unknown claim 'routing.short.enrgy'; did you mean"):
        choose(["routing.short.enrgy"])


def test_a_true_saving_of_the_published_size_is_reproduced(judged_on) -> None:
    again = judged_on(ENERGY, ratio=0.47)
    assert again.integrated.verdict == "reproduced"
    assert isinstance(again.integrated.change_percent, Estimate)
    assert again.blocks == 6
    assert isinstance(again.published, Withheld)
    assert again.note is None


def test_no_change_is_not_the_published_saving(judged_on) -> None:
    again = judged_on(ENERGY, ratio=1.0, noise=0.004)
    assert again.integrated.verdict == "not reproduced"
    assert again.integrated.judgement is not None
    assert again.integrated.judgement.verdict == "equivalent"


def test_two_blocks_give_no_number(judged_on) -> None:
    again = judged_on(ENERGY, ratio=0.47, blocks=2)
    assert again.integrated.verdict == "not testable here"
    assert again.integrated.change_percent is None
    assert "2 whole blocks are not enough" in again.integrated.why


def test_tokens_are_judged_without_energy(judged_on) -> None:
    again = judged_on("routing.short.tokens", tokens=0.428)
    assert again.integrated.verdict == "reproduced"
    assert again.published is None
    assert again.blocks == 6


def test_a_run_is_judged_by_both_protocols(tmp_path: Path) -> None:
    gates = {"ungated": {}, "norm_fraction": {"plugin": "length", "tokens": 12}, "random": {"rate": 0.5}}
    write_suite(tmp_path, **QUICK, gates=gates)
    assert quick("run", "suite.toml", cwd=tmp_path).returncode == 0
    folder = next((tmp_path / "results").iterdir())
    (row,) = reproduce([ENERGY], [folder])
    (again,) = row.remeasured
    assert again.kind == "modelled"
    assert isinstance(again.published, Rerun)
    assert [arm for arm, _ in again.controls] == ["random"]
    assert "1 whole block is not enough" in again.controls[0][1].why
    for width in (80, 120):
        text = rendered([row], width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert "NOT a measurement" in text
        assert "not estimated" in text
    assert ENERGY in to_csv([row])


def test_a_run_of_other_work_gives_no_verdict(judged_on) -> None:
    gate = OWN.gates["norm_fraction"]
    other_gate = gate.model_copy(update={"options": gate.options | {"threshold": 0.5}})
    others = {
        "prompts": OWN.prompts.model_copy(update={"count": 6}),
        "gates": OWN.gates | {"norm_fraction": other_gate},
    }
    again = judged_on(ENERGY, ratio=0.47, asked=OWN.model_copy(update=others))
    assert again.integrated.verdict == "not testable here"
    assert "the run is not of published/routing_short" in again.integrated.why
    assert "prompts (the first 50 of set" in again.integrated.why
    assert "gate norm_fraction, threshold (0.3 against 0.5)" in again.integrated.why
    assert isinstance(again.integrated.change_percent, Estimate)  # a figure of that work, not of the claim


def test_a_run_that_does_not_say_what_it_did_gives_no_verdict(judged_on) -> None:
    asked = Asked(prompts=OWN.prompts)
    assert judged_on(ENERGY, ratio=0.47, asked=asked).integrated.verdict == "not testable here"


def test_other_models_give_a_verdict_and_are_named(judged_on) -> None:
    small = Model(name="echo", layers=2)
    asked = OWN.model_copy(update={"models": OWN.models | {"small": small}})
    again = judged_on(ENERGY, ratio=0.47, asked=asked)
    assert again.integrated.verdict == "reproduced"
    assert "EleutherAI/pythia-70m, float16 against echo, float32, first 2 layers" in (again.note or "")


def test_the_published_protocol_is_a_sample_after_the_slot_times_its_seconds(tmp_path: Path) -> None:
    write_suite(tmp_path, **QUICK, backend_options={"echo": {"cpu_s_per_token": 0.01}})
    quick("run", "suite.toml", cwd=tmp_path)
    run = store.read(next((tmp_path / "results").iterdir()))
    readback = read_back(run)
    rows = readback.slots
    after = after_the_run(readback)
    assert [row.arm for row in rows][:1] == [after[0].arm]
    assert {row.position for row in rows} == set(range(6))
    trace = readback.sources[1].lead.trace
    begins = [*(slot.record.start_s for slot in readback.slots), float("inf")]
    for slot, row, later in zip(readback.slots, after, begins[1:], strict=True):
        first = next(i for i, start_s in enumerate(trace.start_s) if start_s >= slot.record.end_s)
        until_s = min(trace.start_s[first] + 1.0, later)
        sample = [i for i, end_s in enumerate(trace.end_s) if i >= first and end_s <= until_s] or [first]
        joules = sum(trace.joules[i, 0] for i in sample)
        watts = joules / sum(trace.end_s[i] - trace.start_s[i] for i in sample)
        assert row.gross_j == pytest.approx(watts * row.seconds_s)
    # power right after the work is not power during it
    assert sum(row.gross_j or 0 for row in after) < 0.9 * sum(row.gross_j or 0 for row in rows)


def test_the_suites_of_claims_are_named_once_each() -> None:
    assert suites(["routing.short"]) == ["published/routing_short"]
    assert suites(["routing"]) == ["published/routing_short", "published/routing_mixed"]


@pytest.mark.parametrize(
    ("names", "said"),
    [([], "no claim is named"), (["correlation"], "no suite re-runs correlation"), (["rooting"], "routing")],
)
def test_claims_that_no_suite_re_runs_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        suites(names)


def test_the_suite_of_a_claim_is_run_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_suite(
        tmp_path, **QUICK, gates={"ungated": {}, "norm_fraction": {"plugin": "length", "tokens": 12}}
    )
    monkeypatch.setattr("bench.studies.claims.statements.suites", lambda _: [str(file)])
    out = tmp_path / "results"
    with at_hand():
        run_and_judge([ENERGY], measure=True, out=out, allow_root=True, as_json=True)
    (claim,) = json.loads(capsys.readouterr().out)
    (again,) = claim["remeasured"]
    assert again["runs"] == [next(out.iterdir()).name]
    assert (again["kind"], again["backend"]) == ("modelled", "echo")
    assert again["integrated"]["verdict"] == "not testable here"  # one block


def test_not_a_run_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        reproduce([ENERGY], [tmp_path])


def test_the_commands_have_help_with_an_example() -> None:
    from typer.testing import CliRunner

    if not any(
        command.callback and command.callback.__name__ == "reproduce" for command in app.registered_commands
    ):
        register(app)
    for name in ("reproduce", "spectral", "isolate", "collect"):
        done = CliRunner().invoke(app, [name, "--help"])
        assert done.exit_code == 0
        assert "Example" in done.stdout


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        (ENERGY, 0, "none given"),
        (ENERGY, 1, "no configuration of these claims' gates"),
        ("isolation.latency", 1, "no run of bench run can judge these claims"),
    ],
)
def test_why_there_is_no_re_run_is_said(name: str, given: int, said: str) -> None:
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    show(reproduce([name]), console, given=given)
    assert said in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["--json", "no/such/folder/rows.csv"])
def test_a_csv_that_can_not_be_written_is_told_first(name: str, tmp_path: Path) -> None:
    done = bench("reproduce", "literature", "--csv", name, cwd=tmp_path)
    assert done.returncode == 2
    assert name in done.stderr
    assert not list(tmp_path.iterdir())
