import numpy as np
import pytest

from analysis.quality import (
    agreement,
    first_divergence,
    logit_agreement,
    mean_agreement,
    mean_over_prompts,
    perplexity,
)
from analysis.values import Estimate, Withheld


@pytest.mark.parametrize(
    ("tokens", "ungated", "share", "index"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0, None),
        ([1, 9, 3], [1, 2, 3], 2 / 3, 1),
        ([1, 2], [1, 2, 3, 4], 0.5, 2),
        ([], [1], 0.0, 0),
        ([], [], 1.0, None),
    ],
)
def test_agreement_and_divergence(
    tokens: list[int], ungated: list[int], share: float, index: int | None
) -> None:
    assert agreement(tokens, ungated) == share
    assert first_divergence(tokens, ungated) == index


def test_agreement_is_of_the_prompts_that_both_answered() -> None:
    found = mean_agreement({"a": [1, 2], "b": [], "d": [7]}, {"a": [1, 3], "b": [], "c": [5]})
    assert found is not None
    assert (found.mean, found.count) == (0.75, 2)
    assert found.interval == Withheld("2 prompts are too few for an interval (needs 20)")
    assert mean_agreement({"a": [1]}, {"b": [1]}) is None


def test_kl_is_zero_for_a_shift_and_known_for_two_tokens() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 50))
    same = logit_agreement(logits + 7, logits)
    assert same.kl == pytest.approx(0, abs=1e-12)
    assert same.top1 == 1.0
    two = logit_agreement(np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]]))
    assert two.kl == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2))


def test_perplexity_weighs_tokens_not_windows() -> None:
    windows = [np.full(n, -2.0) for n in (10, 20, 30, 40)] + [np.full(100, -3.0)]
    found = perplexity(windows)
    assert isinstance(found.interval, Estimate)
    assert (found.mean, found.count) == (pytest.approx(np.exp(2.5)), 5)
    assert found.interval.low < found.mean < found.interval.high
    few = perplexity(windows[:3])
    assert few.mean == pytest.approx(np.exp(2.0))
    assert isinstance(few.interval, Withheld)


def test_perplexity_covers() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        found = perplexity([-rng.gamma(2, 1, 512) + rng.normal(0, 0.1) for _ in range(15)])
        assert isinstance(found.interval, Estimate)
        held.append(found.interval.contains(float(np.exp(2.0))))
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_mean_has_an_interval_over_prompts() -> None:
    values = list(np.random.default_rng(2).uniform(size=50))
    found = mean_over_prompts(values, share=True)
    assert isinstance(found, Estimate)
    assert found.low < np.mean(values) < found.high


def test_all_right_is_not_certainty() -> None:
    found = mean_over_prompts([1.0] * 50, share=True)
    assert isinstance(found, Estimate)
    assert found.low == pytest.approx(0.025 ** (1 / 50))
    none = mean_over_prompts([0.0] * 50, share=True)
    assert isinstance(none, Estimate)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 50))
    assert isinstance(mean_over_prompts([0.3] * 50), Withheld)
    assert isinstance(mean_over_prompts([0.3, 0.4]), Withheld)
