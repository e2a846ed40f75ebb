import pytest

from analysis.claims import ClaimVerdict, judge_rerun, percent_change
from analysis.savings import Question, judge
from tests.analysis.slots import run_slots

ASKED = Question(treated="gated", baseline="ungated", repeat="ungated again")


def test_a_change_is_in_per_cent() -> None:
    assert percent_change(107, 250) == pytest.approx(-57.2)


@pytest.mark.parametrize(
    ("published", "run", "verdict", "says"),
    [
        (-53.0, {"ratio": 0.47}, "reproduced", "A/A noise floor"),
        (-53.0, {"ratio": 1.0, "noise": 0.005}, "not reproduced", "equivalent"),
        (-53.0, {"ratio": 0.8}, "not reproduced", "saves; the interval does not hold"),
        (-53.0, {"ratio": 1.5}, "not reproduced", "costs"),
        (-53.0, {"ratio": 1.0, "noise": 0.1}, "not reproduced", "inconclusive"),
        (-53.0, {"ratio": 0.47, "blocks": 2}, "not testable here", "2 whole blocks are not enough"),
        (-10.0, {"ratio": 0.9, "noise": 0.2}, "reproduced but inside the A/A error", "noise floor"),
        (-4.0, {"ratio": 0.96, "noise": 0.02}, "not testable here", "across the threshold"),
        (-0.47, {"ratio": 1.0, "noise": 0.005}, "reproduced", "within 2% of 1"),
    ],
)
def test_a_rerun_is_judged(published: float, run: dict[str, float], verdict: ClaimVerdict, says: str) -> None:
    rerun = judge_rerun(published, judge(run_slots(**run), ASKED))  # type: ignore[arg-type]
    assert rerun.verdict == verdict
    assert says in rerun.why
