from dataclasses import replace

import numpy as np
import pytest

from analysis.checks import check_saving, check_slots
from analysis.rows import Slot
from analysis.savings import Question, judge
from tests.analysis.slots import run_slots

ASKED = Question(treated="gated", baseline="ungated", repeat="ungated again")


def codes(slots: list[Slot]) -> set[str]:
    return {caution.code for caution in check_slots(slots)}


def test_a_good_run_has_no_warning() -> None:
    assert check_slots(run_slots()) == ()
    assert check_saving(judge(run_slots(noise=0.005), ASKED)) == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"thermal": "Heavy"}, "throttled"),
        ({"readings": 12}, "few readings"),
        ({"seconds_s": 20.0}, "short window"),
        ({"excluded": "swap growth"}, "excluded"),
        ({"kind": "modelled", "grade": 0}, "grade 0"),
        ({"gross_j": 200.0}, "outlier"),
    ],
)
def test_one_bad_slot_is_one_warning(change: dict[str, object], code: str) -> None:
    slots = run_slots()
    slots[3] = replace(slots[3], **change)  # type: ignore[arg-type]
    assert codes(slots) == {code}


def test_nominal_pressure_is_no_throttling() -> None:
    assert check_slots([replace(slot, thermal="Nominal") for slot in run_slots()]) == ()


def test_drift_is_the_change_over_the_run() -> None:
    slots = run_slots(noise=0.005)
    last = len(slots) - 1
    drifting = [replace(s, gross_j=(s.gross_j or 0) * (1 + 0.2 * s.position / last)) for s in slots]
    found = [caution for caution in check_slots(drifting) if caution.code == "drift"]
    assert len(found) == 3
    assert found[0].value == pytest.approx(0.2, abs=0.04)


def test_seconds_stand_in_where_joules_are_missing() -> None:
    slots = [replace(slot, gross_j=None, net_j=None) for slot in run_slots()]
    slots[4] = replace(slots[4], seconds_s=600.0)
    rng = np.random.default_rng(0)
    slots = [
        replace(slot, seconds_s=slot.seconds_s * float(np.exp(rng.normal(0, 0.01))) + 5) for slot in slots
    ]
    assert codes(slots) == {"outlier"}


def test_a_noisy_control_is_said_aloud() -> None:
    saving = judge(run_slots(noise=0.1), ASKED)
    assert "A/A spread large" in {caution.code for caution in check_saving(saving)}


def test_identical_arms_that_differ_are_said_aloud() -> None:
    slots = [
        replace(s, gross_j=(s.gross_j or 0) * 1.1) if s.arm == "ungated again" else s for s in run_slots()
    ]
    assert "A/A differs" in {caution.code for caution in check_saving(judge(slots, ASKED))}


def test_left_out_blocks_are_said_aloud() -> None:
    (caution,) = check_saving(judge(run_slots(blocks=7, noise=0.005)[:-2], ASKED))
    assert (caution.code, caution.value, caution.meaning) == (
        "blocks left out",
        1,
        "cut short: these blocks do not count",
    )
