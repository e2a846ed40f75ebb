"""What could overturn a run, in its own words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from bench.report.cautions import _about_equal_work, _about_parted_answers, _about_stored_caches
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


def test_a_cache_in_few_bits_that_is_cast_is_labelled() -> None:
    loaded = {"torch/full": SimpleNamespace(casts_cache=True), "mlx/full": SimpleNamespace(casts_cache=False)}
    cuts: dict[str, dict[str, Any]] = {"kv8": {"kv_bits": 8}, "window": {"kv_keep": 0.5}}
    slots = [
        SimpleNamespace(
            arm=f"{backend}, {gate}",
            record=SimpleNamespace(backend=backend),
            answers=[SimpleNamespace(cut=cut)],
        )
        for backend in ("torch", "mlx")
        for gate, cut in cuts.items()
    ]
    run = SimpleNamespace(of=lambda _: [SimpleNamespace(loaded=loaded)])
    (said,) = _about_stored_caches(cast(Readback, SimpleNamespace(run=run, slots=slots)))
    assert said.subject == "torch, kv8"
    assert "saves memory, and no reading" in said.words


def test_where_two_backends_part_in_the_tokens_of_the_run_it_is_said_with_the_place() -> None:
    def answers(*tokens: list[int], model: str = "full", served: bool = False) -> dict[str, Any]:
        return {
            str(number): SimpleNamespace(tokens=one, model=model, served=served)
            for number, one in enumerate(tokens)
        }

    said = {
        ("torch", "ungated", False): answers([1, 2, 3, 4], [5, 6, 7, 8]),
        ("torch", "small", False): answers([9, 9, 9, 9], model="small"),
        ("mlx", "ungated", False): answers([1, 2, 3, 4], [5, 6, 9, 8]),
        ("mlx", "small", False): answers([9, 9, 9, 1]),
        ("openai", "ungated", False): answers([0, 0, 0, 0], served=True),
    }
    readback = SimpleNamespace(arms=list(said), answers=said.__getitem__)
    (caution,) = _about_parted_answers(cast(Readback, readback))
    assert caution.words == (
        "mlx: parts from torch in 1 of 2 answers, first at generated token 3 "
        "(token match 88 %): the same model and prompts, other texts"
    )
