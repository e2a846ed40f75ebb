import numpy as np
import pytest
from scipy import stats

from analysis.regression import LinearFit, least_squares
from analysis.values import Withheld

# NIST's Statistical Reference Datasets, Longley (1967): employment on six economic figures
LONGLEY = np.array(
    [
        [60323, 83.0, 234289, 2356, 1590, 107608, 1947],
        [61122, 88.5, 259426, 2325, 1456, 108632, 1948],
        [60171, 88.2, 258054, 3682, 1616, 109773, 1949],
        [61187, 89.5, 284599, 3351, 1650, 110929, 1950],
        [63221, 96.2, 328975, 2099, 3099, 112075, 1951],
        [63639, 98.1, 346999, 1932, 3594, 113270, 1952],
        [64989, 99.0, 365385, 1870, 3547, 115094, 1953],
        [63761, 100.0, 363112, 3578, 3350, 116219, 1954],
        [66019, 101.2, 397469, 2904, 3048, 117388, 1955],
        [67857, 104.6, 419180, 2822, 2857, 118734, 1956],
        [68169, 108.4, 442769, 2936, 2798, 120445, 1957],
        [66513, 110.8, 444546, 4681, 2637, 121950, 1958],
        [68655, 112.6, 482704, 3813, 2552, 123366, 1959],
        [69564, 114.2, 502601, 3931, 2514, 125368, 1960],
        [69331, 115.7, 518173, 4806, 2572, 127852, 1961],
        [70551, 116.9, 554894, 4007, 2827, 130081, 1962],
    ]
)
# certified coefficients and their standard deviations
CERTIFIED = {
    "constant": (-3482258.63459582, 890420.383607373),
    "deflator": (15.0618722713733, 84.9149257747669),
    "product": (-0.0358191792925910, 0.0334910077722432),
    "unemployed": (-2.02022980381683, 0.488399681651699),
    "army": (-1.03322686717359, 0.214274163161675),
    "population": (-0.0511041056535807, 0.226073200069370),
    "year": (1829.15146461355, 455.478499142212),
}


def test_longley_has_the_certified_coefficients_and_errors() -> None:
    columns = dict(zip(CERTIFIED, [np.ones(16), *LONGLEY.T[1:]], strict=True))
    fit = least_squares(LONGLEY[:, 0], columns)
    assert isinstance(fit, LinearFit)
    assert fit.r2 == pytest.approx(0.995479004577296)
    for name, (point, error) in CERTIFIED.items():
        term, reach = fit.terms[name], stats.t.ppf(0.975, 9) * error
        found = (term.value.point, term.value.low, term.value.high, term.t)
        assert found == pytest.approx((point, point - reach, point + reach, point / error), rel=1e-6)
        assert term.p == pytest.approx(2 * stats.t.sf(abs(point / error), 9), rel=1e-5)


def test_a_weighted_fit_is_that_of_statsmodels() -> None:
    x = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0])
    y = np.array([7.1, 8.8, 11.4, 14.7, 21.5, 30.2, 48.9])
    fit = least_squares(y, {"constant": np.ones(7), "x": x}, relative=True)
    assert isinstance(fit, LinearFit)
    # statsmodels 0.15: WLS with weights 1 / fitted squared
    slope, constant = fit.terms["x"], fit.terms["constant"]
    assert (slope.value.point, slope.value.low, slope.value.high) == pytest.approx(
        (2.022421740763548, 1.8970600729943403, 2.147783408532755)
    )
    assert (constant.t, constant.p) == pytest.approx((25.87566089426098, 1.610356134927079e-06))
    assert fit.r2 == pytest.approx(0.9971011055333503)


def test_without_a_constant_r2_is_of_the_squares_about_zero() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.1, 3.9, 6.0])
    fit = least_squares(y, {"x": x})
    assert isinstance(fit, LinearFit)
    assert fit.r2 == pytest.approx(1 - np.sum((y - x * (x @ y / 14)) ** 2) / np.sum(y**2))


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
