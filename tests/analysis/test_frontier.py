import pytest

from analysis.frontier import cliff, pareto
from analysis.rows import Trade
from analysis.values import Withheld


def trade(strength: float, cost: float, loss: float, *, inactive: bool = False) -> Trade:
    return Trade(label=f"kappa {strength}", strength=strength, cost=cost, loss=loss, inactive=inactive)


SWEEP = [trade(1.0, 10, 11.0), trade(0.9, 9, 11.05), trade(0.7, 7, 11.2), trade(0.5, 5, 14.0)]


def test_the_pareto_set_beats_everything_else() -> None:
    rows = [*SWEEP, trade(0.8, 8, 12.0), trade(0.6, 7, 11.2)]
    found = [point.strength for point in pareto(rows)]
    assert found == [0.5, 0.7, 0.9, 1.0]


def test_an_inactive_cut_is_no_bargain() -> None:
    assert pareto([trade(0.5, 5, 11.0, inactive=True)]) == ()
    assert pareto([]) == ()


def test_the_cliff_is_the_largest_fraction_that_loses_one_per_cent() -> None:
    assert cliff(SWEEP) == 0.7


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (SWEEP[1:], "ungated point"),
        (SWEEP[:2], "no cliff down to 0.9"),
        ([SWEEP[0], trade(0.5, 5, 11.0)], "every cut gave the ungated perplexity"),
        ([*SWEEP, trade(0.6, 6, 11.3, inactive=True)], "gate inactive at kappa 0.6"),
        ([], "ungated point"),
    ],
)
def test_no_cliff_gets_a_reason(rows: list[Trade], says: str) -> None:
    answer = cliff(rows)
    assert isinstance(answer, Withheld)
    assert says in answer.reason
