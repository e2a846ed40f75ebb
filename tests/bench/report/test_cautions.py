"""What could overturn a run, in its own words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from bench.report.cautions import _about_equal_work
from bench.report.readback import Readback
from bench.run.observed import SameLogits
from tests.bench.report.test_verdicts import SESSION

PAIR = SameLogits(
    model="full",
    backends=("torch", "llama_cpp"),
    probe_tokens=8,
    same_ids=True,
    logit_difference=None,
    tolerance=0.0,
)


def cautions_of(*pairs: SameLogits) -> list[str]:
    loaded: dict[str, Any] = {
        "torch/full": SimpleNamespace(dtype="float32"),
        "llama_cpp/full": SimpleNamespace(dtype="Q4_1"),
    }
    sessions = [replace(SESSION, equal_work=list(pairs), loaded=loaded)] * 2
    run = SimpleNamespace(of=lambda _: sessions)
    return [one.words for one in _about_equal_work(cast(Readback, SimpleNamespace(run=run)))]


def test_logits_that_could_not_be_compared_are_told_once_with_what_each_ran() -> None:
    (words,) = cautions_of(PAIR)
    assert "torch runs float32, llama_cpp runs Q4_1" in words
    assert "the token match says whether they answer alike" in words


def test_logits_that_were_compared_are_no_caution() -> None:
    assert cautions_of(replace(PAIR, logit_difference=1e-5, apart=1e-6, tolerance=1e-3)) == []
