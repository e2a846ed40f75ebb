import numpy as np
import pytest

from analysis.regression import LinearFit, least_squares
from analysis.values import Withheld


def test_scales_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    big, small = rng.uniform(1e9, 2e9, 40), rng.uniform(1e-3, 2e-3, 40)
    fit = least_squares(3e-9 * big + 5 * small, {"big": big, "small": small})
    assert isinstance(fit, LinearFit)
    assert fit.terms["big"].value.point == pytest.approx(3e-9)
    assert fit.terms["small"].value.point == pytest.approx(5.0)


def test_a_contrast_has_the_joint_interval() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 2, 60)
    fit = least_squares(2 + 3 * x + rng.normal(0, 0.1, 60), {"constant": np.ones(60), "x": x})
    assert isinstance(fit, LinearFit)
    middle = fit.contrast({"constant": 1.0, "x": 1.5})
    assert middle.contains(2 + 3 * 1.5)
    alone = fit.terms["constant"].value
    assert middle.high - middle.low < (alone.high - alone.low) / 3
    assert fit.contrast({"x": 1.0}).low == pytest.approx(fit.terms["x"].value.low)


def test_relative_noise_is_weighed() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        x = 10 ** rng.uniform(0, 4, 30)
        y = (5 + 2 * x) * np.exp(rng.normal(0, 0.05, 30))
        fit = least_squares(y, {"constant": np.ones(30), "x": x}, relative=True)
        assert isinstance(fit, LinearFit)
        held += fit.terms["constant"].value.contains(5)
    assert held >= 180


def test_what_rises_together_is_not_told_apart() -> None:
    x = np.arange(1.0, 9.0)
    assert isinstance(least_squares(x, {"x": x, "twice": 2 * x}), Withheld)
    assert isinstance(least_squares(x, {"x": x, "nothing": 0 * x}), Withheld)
    assert isinstance(least_squares(x[:2], {"x": x[:2], "one": np.ones(2)}), Withheld)
