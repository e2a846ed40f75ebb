"""Machines that would run something else than most are left out before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.fleet.doctor import unlike
from bench.fleet.sent import SentSuite
from bench.run.readiness import SuiteHere, suite_here
from tests.bench.suites import write_suite

SUITE = SentSuite(label="one", text="name = 'one'", files={})
HERE = SuiteHere(
    file="one/one.toml",
    suite_sha256=SUITE.sha256,
    prompts_sha256="p" * 64,
    weights_sha256={"full": "w" * 64},
    versions={"mlx": "0.31"},
)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"weights_sha256": {"full": "x" * 64}},
            "the hash of the weights of full is xxxxxxxxxxxx",
        ),
        (
            {"prompts_sha256": "q" * 64},
            "the hash of the prompts is qqqqqqqqqqqq, 2 machines have p",
        ),
        ({"versions": {"mlx": "0.30"}}, "the version of mlx is 0.30, 2 machines have 0.31"),
        ({"versions": {}}, "the version of mlx is none, 2 machines have 0.31"),
        ({"suite_sha256": "s" * 64}, "the suite is not as it was sent: ssssssssssss"),
        ({"refused": "the model is not here"}, "the model is not here"),
    ],
)
def test_the_odd_one_of_three_is_left_out_with_its_reason(other: dict[str, Any], said: str) -> None:
    told = {"a": HERE, "b": replace(HERE, **other), "c": HERE}
    found = dict(unlike(told, SUITE))
    assert found.keys() == {"b"}
    assert found["b"].startswith(said)


def test_of_two_that_differ_the_first_stays() -> None:
    told = {"a": HERE, "b": replace(HERE, versions={"mlx": "0.32"})}
    assert dict(unlike(told, SUITE)) == {"b": "the version of mlx is 0.32, the first machine has 0.31"}
    assert not dict(unlike({"a": HERE, "b": HERE}, SUITE))


def test_a_suite_tells_what_it_would_run_here_or_why_it_can_not(tmp_path: Path) -> None:
    here = suite_here(str(write_suite(tmp_path)))
    assert here.refused is None
    assert here.weights_sha256 == {"full": None, "small": None}
    assert {"joulebench", "numpy"} <= here.versions.keys()
    other = suite_here(str(tmp_path / "nothing.toml"))
    assert "can't read the suite" in (other.refused or "")
    assert not other.versions
