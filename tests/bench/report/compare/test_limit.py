"""A condition for continuous integration: read, or refused; shown, or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.values import Estimate
from analysis.verdict import Judgement
from bench.errors import UserError
from bench.report.compare.limit import parsed
from tests.bench.processes import bench
from tests.bench.stored import stored_copy


def judged(low: float, high: float, *, beyond_noise: bool = True) -> Judgement:
    ratio = Estimate((low + high) / 2, low, high)
    return Judgement(
        verdict="inconclusive", reason="made up", threshold=0.02, ratio=ratio, exceeds_noise=beyond_noise
    )


NOT_ESTIMATED = Judgement(verdict="not enough blocks", reason="4 are too few", threshold=0.02)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("costs > 2 %", "costs > 2 %"),
        ("costs>2%", "costs > 2 %"),
        (" saves < 12.5 % ", "saves < 12.5 %"),
        ("saves < 0 %", "saves < 0 %"),
    ],
)
def test_both_forms_are_read(text: str, seen: str) -> None:
    assert str(parsed(text)) == seen


@pytest.mark.parametrize(
    "text",
    ["", "costs", "costs < 2 %", "saves > 2 %", "costs > 2", "costs > -1 %", "costs > 2 % or saves < 1 %"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no condition; the forms are"):
        parsed(text)


def test_a_cost_holds_where_the_whole_interval_and_the_noise_say_so() -> None:
    limit = parsed("costs > 2 %")
    assert limit.holds(judged(1.03, 1.05))
    assert not limit.holds(judged(1.03, 1.05, beyond_noise=False))
    assert not limit.holds(judged(1.01, 1.05))
    assert not limit.holds(judged(0.90, 0.95))
    assert not limit.holds(NOT_ESTIMATED)
    assert not limit.holds(None)


def test_too_small_a_saving_holds_where_the_whole_interval_says_so() -> None:
    limit = parsed("saves < 10 %")
    assert limit.holds(judged(0.92, 0.97))
    assert limit.holds(judged(1.10, 1.20))
    assert not limit.holds(judged(0.88, 0.95))
    assert not limit.holds(judged(0.70, 0.80))


def test_what_it_comes_to_is_said() -> None:
    limit = parsed("costs > 2 %")
    assert limit.words("new", judged(1.03, 1.05)) == "new: costs > 2 % holds"
    assert limit.words("new", judged(0.9, 1.2)) == "new: costs > 2 % is not shown"
    assert limit.words("new", NOT_ESTIMATED) == "new: whether costs > 2 % can't be told: 4 are too few"
    assert "the sides are unlike" in limit.words("new", None)


def test_the_exit_code_follows_the_condition(echo_run: Path, tmp_path: Path) -> None:
    """The gate of this run costs fewer joules than the baseline, so it saves less than 99 %."""
    stored_copy(echo_run, tmp_path / "run", blocks=5)
    sides = ["compare", "run:echo/ungated", "run:echo/length"]
    for condition, code in (("costs > 300 %", 0), ("saves < 99.9 %", 1), ("nonsense", 2)):
        done = bench(*sides, "--fail-on", condition, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert condition in done.stderr
