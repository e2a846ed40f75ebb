from dataclasses import replace

from analysis.comparable import (
    Ranked,
    known_of_neither,
    lowest_grade,
    rankings,
    unlike,
    unlike_joules,
)
from analysis.values import Estimate
from tests.analysis.slots import PLAIN


def row(label: str, joules: float, boundary: str, grade: int) -> Ranked:
    value = Estimate(joules, joules * 0.9, joules * 1.1)
    return Ranked(label=label, boundary=boundary, grade=grade, joules_j=value)


def test_boundaries_and_grade_zero_never_share_a_ranking() -> None:
    rows = [
        row("a", 2.0, "package", 2),
        row("b", 1.0, "package", 1),
        row("c", 0.5, "package", 0),
        row("d", 0.1, "wall", 4),
    ]
    found = [(r.boundary, r.measured, [x.label for x in r.rows]) for r in rankings(rows)]
    assert found == [("wall", True, ["d"]), ("package", True, ["b", "a"]), ("package", False, ["c"])]


def test_unlike_joules_are_named() -> None:
    assert unlike_joules([PLAIN, replace(PLAIN, grade=1)]) is None
    other = unlike_joules([PLAIN, replace(PLAIN, boundary="wall")])
    assert other is not None
    assert "soc_cpu_gpu_ane and wall" in other.reason
    modelled = unlike_joules([PLAIN, replace(PLAIN, kind="modelled", grade=0)])
    assert modelled is not None
    assert "measured and modelled" in modelled.reason


def test_the_lowest_grade_holds() -> None:
    assert lowest_grade([PLAIN, replace(PLAIN, grade=1)]) == 1
    assert lowest_grade([]) is None


def test_every_unlike_fact_is_named_with_both_values() -> None:
    found = unlike({"chip": "M2", "cores": None, "build": "a"}, {"chip": "M4", "cores": "8", "build": "a"})
    assert [str(item) for item in found] == ["chip (M2 against M4)", "cores (unknown against 8)"]
    assert known_of_neither({"chip": None, "cores": "8"}, {"chip": None, "cores": None}) == ("chip",)
