from dataclasses import replace

import numpy as np
import pytest

from analysis.checks import Caution, check_judgements, check_slots, gate_that_failed
from analysis.effect import LogPair
from analysis.rows import Slot
from analysis.verdict import Contrast, decide
from tests.analysis.slots import judged, run_slots


def codes(slots: list[Slot]) -> set[str]:
    return {caution.code for caution in check_slots(slots)}


def about(slots: list[Slot]) -> dict[str, Caution]:
    return {caution.code: caution for caution in check_judgements({"torch": [judged(slots)]})}


def test_a_good_run_has_no_warning() -> None:
    assert check_slots(run_slots()) == ()
    assert about(run_slots(noise=0.005)) == {}


@pytest.mark.parametrize(
    ("throttled", "power", "readings", "gate"),
    [
        (None, None, 10, None),
        (None, None, None, None),
        ("Moderate", None, 40, "throttled: thermal pressure Moderate"),
        ("Heavy", "mode low, was high", 3, "throttled: thermal pressure Heavy"),
        (None, "source battery, was ac", 40, "power changed: source battery, was ac"),
        (None, None, 9, "fewer than 10 readings"),
    ],
)
def test_the_gates_that_leave_a_slot_out(
    throttled: str | None, power: str | None, readings: int | None, gate: str | None
) -> None:
    found = gate_that_failed(throttled=throttled, power=power, readings=readings, fewest_readings=10)
    assert found == gate


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"seconds_s": 20.0}, "short window"),
        ({"excluded": "swap growth"}, "left out"),
        ({"kind": "modelled", "grade": 0}, "grade 0"),
        ({"gross_j": 200.0}, "outlier"),
    ],
)
def test_one_bad_slot_is_one_warning(change: dict[str, object], code: str) -> None:
    slots = run_slots()
    slots[3] = replace(slots[3], **change)  # type: ignore[arg-type]
    assert codes(slots) == {code}


def test_slots_left_out_are_counted_by_gate() -> None:
    slots = [replace(slot, excluded="throttled" if slot.block < 2 else None) for slot in run_slots()]
    (caution,) = check_slots(slots)
    assert caution.words == "12 of 36 windows left out (throttled): no verdict rests on their blocks"
    assert (caution.subject, caution.value) == ("throttled", 12)


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
    found = about(run_slots(noise=0.3))
    assert set(found) == {"noisy"}
    assert "differs from itself by" in found["noisy"].words
    assert found["noisy"].value > 0.1


def test_identical_arms_that_differ_are_said_aloud() -> None:
    slots = [
        replace(s, gross_j=(s.gross_j or 0) * 1.05) if s.arm == "ungated again" else s for s in run_slots()
    ]
    (caution,) = about(slots).values()
    assert (caution.code, caution.value) == ("A/A differs", pytest.approx(0.05, abs=0.01))


def test_few_blocks_are_said_once_if_no_arm_has_enough() -> None:
    few, many = judged(run_slots(blocks=2)), judged(run_slots(noise=0.005))
    (caution,) = check_judgements({"torch": [few, few], "mlx": [few]})
    assert caution.words == "2 whole blocks are not enough for a claim (needs 5)"
    assert check_judgements({"torch": [few, many]}) == ()


def test_a_verdict_that_rests_on_blocks_that_follow_each_other_is_named() -> None:
    steps = np.repeat([-1.0, 1.0], 10)
    waves, noise = (np.log(0.94) + 0.04 * steps, np.log(0.94) + 0.04 * np.resize([1.0, -1.0], 20))
    copy = 0.001 * np.resize([1.0, -1.0, 0.5], 20)
    said = {}
    for name, log_ratios in (("waves", waves), ("noise", noise)):
        effect, again = (LogPair(treated=x, baseline=np.zeros(20), paired=True) for x in (log_ratios, copy))
        found = decide(Contrast(effect=effect, copies=(again,)))
        assert found.verdict == "saves"
        said[name] = check_judgements({"torch": [found]})
    assert said["noise"] == ()
    (caution,) = said["waves"]
    assert caution.code == "correlated"
    assert caution.value is not None
    assert caution.value > 0.8
    assert "the verdict would not be saves" in caution.words
