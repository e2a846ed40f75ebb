from dataclasses import replace

from analysis.comparable import (
    known_of_neither,
    lowest_grade,
    unlike,
    unlike_joules,
)
from tests.analysis.slots import PLAIN


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
