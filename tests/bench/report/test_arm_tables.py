"""The two tables of arms."""

from __future__ import annotations

from dataclasses import fields, replace

from analysis.costs import Split
from analysis.values import Estimate, Withheld
from bench.report.arm_tables import (
    certainty_table,
    savings_table,
    split_table,
    withheld_splits,
    work_table,
)
from bench.report.split import ArmSplit
from tests.bench.report.page.rows import arm_row, saving_row, summary_of


def test_a_saving_stands_beside_its_floor_blocks_agreement_and_grade() -> None:
    table = savings_table(
        summary_of(arm_row(gross_per_repeat_j=29.0, bound_per_repeat_j=0.2), saving_row()), place="page"
    )
    row = dict(zip(table.headings, table.shown[1], strict=True))
    assert table.title == "Energy per repeat, measured"
    assert row["configuration"] == "torch norm_fraction"
    assert row["saves"] == "+31.2 %"
    assert row["saves, 95 %"] == "+29.8 to +32.5 %"
    assert (row["noise"], row["blocks"], row["token match"]) == ("1.4 %", "6", "71.0 %")
    assert (row["J"], row["bound, J"], row["grade"]) == ("20.0", "0.1", "2 metered")


def test_how_sure_a_saving_is_stands_beside_it_where_there_is_an_interval() -> None:
    sure = saving_row(
        p=0.0004, p_holm=0.0012, lag_1=0.31, saved_low_ar1_percent=27.0, saved_high_ar1_percent=35.0
    )
    assert certainty_table(summary_of(arm_row(), saving_row())) is None
    table = certainty_table(summary_of(arm_row(), sure), place="page")
    assert table is not None
    (cells,) = table.shown
    row = dict(zip(table.headings, cells, strict=True))
    assert (row["p"], row["p (Holm)"], row["lag-1 correlation"]) == ("0.000400", "0.00120", "0.31")
    assert row["AR(1) interval"] == "+27.0 to +35.0 %"


def test_joules_of_tiny_runs_keep_their_digits_and_bound_theirs() -> None:
    table = savings_table(
        summary_of(saving_row(gross_per_repeat_j=0.0877, bound_per_repeat_j=0.00134)), place="page"
    )
    assert {"0.0877", "0.0013"} <= set(table.shown[0])
    table = savings_table(
        summary_of(saving_row(gross_per_repeat_j=1.03, bound_per_repeat_j=0.002)), place="page"
    )
    assert {"1.03", "0.002"} <= set(table.shown[0])


def test_what_was_withheld_is_called_so() -> None:
    row = saving_row(gross_per_repeat_j=None, bound_per_repeat_j=None, kind="modelled")
    table = savings_table(summary_of(row), place="page")
    assert table.title == "Energy per repeat, modelled, NOT a measurement"
    assert "not estimated" in table.shown[0]


def test_an_inactive_gate_has_no_agreement_to_boast_of() -> None:
    assert (
        "gate inactive"
        in savings_table(summary_of(saving_row(verdict="gate inactive")), place="page").shown[0]
    )


def test_work_is_per_pass_and_names_its_prompts() -> None:
    table = work_table(
        summary_of(arm_row(prompts=6, generated_tokens_per_repeat=48.0, void_windows=1, repeats=2)),
        place="page",
    )
    row = dict(zip(table.headings, table.shown[0], strict=True))
    assert table.title == "Work per repeat of 6 prompts"
    assert (row["generated tokens"], row["void windows"], row["repeats"]) == ("48", "1", "2")


def test_where_a_saving_comes_from_is_told_or_withheld() -> None:
    arm = ("torch", "norm_fraction", False)
    parts = Split(**{field.name: Estimate(10.0, 8.0, 12.0) for field in fields(Split)})
    split = ArmSplit(arm=arm, split=parts, kind="modelled", r2=0.9, windows=12)
    told = replace(summary_of(saving_row()), splits={arm: split})
    table = split_table(told)
    assert table is not None
    assert "modelled, NOT a measurement" in table.title
    assert table.shown[0][:2] == ["torch norm_fraction", "+10.0\n(+8.0 to +12.0)"]
    withheld = replace(told, splits={arm: Withheld("too few mixes")})
    assert split_table(withheld) is None
    assert withheld_splits(withheld) == [("torch norm_fraction", "too few mixes")]


def test_thinking_aloud_is_counted_apart_where_a_model_has_marks_of_it() -> None:
    thinks = arm_row(generated_tokens_per_repeat=48.0, reasoning_tokens_per_repeat=31.0)
    table = work_table(summary_of(thinks), place="page")
    row = dict(zip(table.headings, table.shown[0], strict=True))
    assert row["generated tokens"] == "48 (31 reasoning)"
