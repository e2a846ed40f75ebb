import numpy as np
import pytest

from analysis.costs import Counts, FittedCosts, Split, fit_costs, split_saving
from analysis.rows import Work
from analysis.values import Estimate, Withheld

PRICES = {"full": (0.02, 0.001, 0.01), "small": (0.005, 0.0001, 0.006)}


def windows(noise: float = 0.01, rows: int = 40, seed: int = 0) -> list[Work]:
    rng = np.random.default_rng(seed)
    found = []
    for group, prices in PRICES.items():
        for _ in range(rows):
            counts = (50, int(rng.integers(200, 5000)), int(rng.integers(50, 5000)))
            joules = float(np.dot(prices, counts) * np.exp(rng.normal(0, noise)))
            found.append(_work(group, counts, joules))
    return found


def _work(group: str, counts: tuple[int, int, int], joules: float) -> Work:
    requests, prompt, new = counts
    return Work(group=group, requests=requests, prompt_tokens=prompt, new_tokens=new, joules_j=joules)


def fitted(noise: float = 0.01, seed: int = 0) -> FittedCosts:
    costs = fit_costs(windows(noise, seed=seed))
    assert isinstance(costs, FittedCosts)
    return costs


def test_prices_are_recovered() -> None:
    price = fitted().prices["small"]
    assert price.fixed_j.contains(0.005)
    assert price.per_prompt_token_j.contains(0.0001)
    assert price.per_new_token_j.contains(0.006)


def test_the_intervals_hold_the_prices_as_often_as_they_promise() -> None:
    held = [fitted(seed=seed).prices["full"].per_new_token_j.contains(0.01) for seed in range(200)]
    assert 0.90 <= np.mean(held) <= 0.99


def test_the_parts_of_a_split_add_up() -> None:
    before = {"full": Counts(requests=50, prompt_tokens=500, new_tokens=250)}
    after = {
        "full": Counts(requests=14, prompt_tokens=150, new_tokens=70),
        "small": Counts(requests=36, prompt_tokens=350, new_tokens=37),
    }
    split = split_saving(fitted(), before=before, after=after)
    assert isinstance(split, Split)
    parts = (
        split.fewer_new_tokens_j,
        split.fewer_prompt_tokens_j,
        split.cheaper_new_tokens_j,
        split.cheaper_prompt_tokens_j,
        split.fixed_cost_j,
    )
    assert sum(part.point for part in parts) == pytest.approx(split.saved_j.point)
    assert split.fewer_new_tokens_j.contains(0.01 * (250 - 107))
    assert split.cheaper_new_tokens_j.contains((0.01 - 0.006) * 37)
    assert split.fixed_cost_j.contains((0.02 - 0.005) * 36)
    assert split.fewer_prompt_tokens_j == Estimate(0.0, 0.0, 0.0)


def test_one_mix_of_tokens_has_no_prices() -> None:
    rows = [_work("full", (50 * n, 500 * n, 250 * n), 10.0 * n) for n in range(1, 10)]
    answer = fit_costs(rows)
    assert isinstance(answer, Withheld)
    assert "too few mixes" in answer.reason


def test_missing_joules_and_groups_are_named() -> None:
    assert isinstance(fit_costs([]), Withheld)
    assert isinstance(fit_costs([_work("full", (1, 1, 1), 0.0)]), Withheld)
    one = Counts(requests=1, prompt_tokens=1, new_tokens=1)
    answer = split_saving(fitted(), before={"full": one}, after={"tiny": one})
    assert answer == Withheld("no price list for tiny")
