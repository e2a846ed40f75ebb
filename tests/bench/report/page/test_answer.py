"""The sentence: never a saving without what could overturn it."""

from __future__ import annotations

import pytest

from bench.report.page.answer import answers, nothing_to_say, quality_warnings
from bench.show.words import kind_label
from tests.bench.report.page.rows import arm_row, saving_row, summary_of


def sentence(**values: object) -> str:
    return answers(summary_of(arm_row(), saving_row(**values)), baseline="ungated")[0].sentence


def test_a_saving_stands_with_interval_floor_blocks_quality_and_grade() -> None:
    assert sentence() == (
        "On torch, norm_fraction uses 31.2 % fewer joules than ungated (95 % interval 29.8 to 32.5 %, "
        "A/A floor 1.4 %, 6 blocks), with 71.0 % of tokens agreeing; joules are measured (grade 2 metered)."
    )


def test_joules_that_are_no_measurement_are_called_so_and_never_stand() -> None:
    modelled = {"energy_kind": "modelled", "grade": 0, "grade_name": "modelled"}
    (answer,) = answers(summary_of(saving_row(**modelled)), baseline="ungated")
    assert answer.sentence.endswith("joules are modelled, NOT a measurement (grade 0).")
    assert answer.tone == "open"
    assert answers(summary_of(saving_row()), baseline="ungated")[0].tone == "claim"


def test_more_joules_are_more() -> None:
    costs = {
        "verdict": "costs",
        "joules_saved_percent": -5.0,
        "saved_low_percent": -6.0,
        "saved_high_percent": -4.0,
    }
    assert "uses 5.0 % more joules than ungated (95 % interval 4.0 to 6.0 %" in sentence(**costs)


def test_an_interval_across_zero_says_both_ends() -> None:
    open_ = {"verdict": "inconclusive", "reason": "the interval reaches across", "saved_low_percent": -1.0}
    said = sentence(**open_, saved_high_percent=3.0, joules_saved_percent=1.0)
    assert "95 % interval 1.0 % more to 3.0 % fewer" in said
    assert "can't be judged yet (inconclusive: the interval reaches across)" in said


def test_too_few_blocks_conclude_nothing_and_say_what_is_missing() -> None:
    few = {"verdict": "not enough blocks", "blocks": 1, "saved_low_percent": None, "saved_high_percent": None}
    said = sentence(**few, noise_floor_percent=None, agreement_percent=None)
    assert "can't be judged yet (a claim needs 5 blocks)" in said
    assert "(no interval, no A/A floor, 1 block), with unknown agreement of the tokens" in said


def test_an_inactive_gate_has_no_saving() -> None:
    said = sentence(verdict="gate inactive", reason="no prompt is routed", joules_saved_percent=None)
    assert said == (
        "On torch, norm_fraction changed nothing (gate inactive: no prompt is routed), "
        "so there is no saving to judge."
    )


def test_withheld_says_why() -> None:
    said = sentence(verdict="withheld", reason="the rail gpu is missing", joules_saved_percent=None)
    assert said == "On torch, norm_fraction can't be judged against ungated: the rail gpu is missing."


def test_verdicts_come_before_guesses_and_large_before_small() -> None:
    rows = (
        saving_row(gate="open", verdict="not enough blocks", joules_saved_percent=90.0),
        saving_row(gate="small", joules_saved_percent=5.0),
        saving_row(gate="large"),
        arm_row(),
        arm_row(a_a=True, verdict="A/A"),
    )
    found = [answer.arm for answer in answers(summary_of(*rows), baseline="ungated")]
    assert found == ["torch large", "torch small", "torch open"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "Nothing was measured"),
        ((arm_row(),), "No joules are known"),
        ((arm_row(joules_gross=3.0),), "No gate was run"),
    ],
)
def test_without_a_gate_it_says_what_there_is(rows: tuple[object, ...], said: str) -> None:
    assert nothing_to_say(summary_of(*rows)).startswith(said)  # type: ignore[arg-type]


def test_mostly_other_answers_are_warned_of() -> None:
    few = saving_row(agreement_percent=16.7)
    assert "only 16.7 % of its tokens equal" in quality_warnings(summary_of(few), baseline="ungated")[0]
    assert quality_warnings(summary_of(saving_row()), baseline="ungated") == []


def test_labels() -> None:
    assert kind_label(["measured"]) == "measured"
    assert kind_label(["simulated", "measured"]) == "measured and simulated, NOT a measurement"
    assert kind_label(["none"]) == "no joules"
