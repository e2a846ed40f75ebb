import numpy as np
import pytest

from analysis.spectral import Spectrum, covariance_eigenvalues, spectrum
from analysis.values import Withheld


def by_covariance(hidden: np.ndarray) -> Spectrum:
    """The D x D way, as the papers state it."""
    width = hidden.shape[1]
    covariance = np.cov(hidden, rowvar=False, ddof=1)
    covariance += 1e-8 * np.mean(np.diag(covariance)) * np.eye(width)
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    trace = np.trace(covariance)
    return Spectrum(
        lambda11=float(eigenvalues[10]),
        lambda11_share=float(eigenvalues[10] / trace),
        tail_share=float(1 - eigenvalues[:10].sum() / trace),
        participation=float(trace**2 / np.trace(covariance @ covariance)),
    )


@pytest.mark.parametrize(("tokens", "width"), [(12, 576), (40, 576), (200, 64), (64, 64), (300, 128)])
def test_gram_equals_covariance(tokens: int, width: int) -> None:
    rng = np.random.default_rng(tokens)
    scales = 10 ** rng.uniform(-1, 2, width)  # a few large dimensions, as language models have
    hidden = rng.normal(3, 1, (tokens, width)) * scales
    mine, theirs = spectrum(hidden), by_covariance(hidden)
    assert isinstance(mine, Spectrum)
    for field in ("lambda11", "lambda11_share", "tail_share", "participation"):
        assert getattr(mine, field) == pytest.approx(getattr(theirs, field), rel=1e-8)


def test_single_precision_states_are_summed_in_double() -> None:
    hidden = np.random.default_rng(0).normal(100, 1, (20, 64)).astype(np.float32)
    mine, theirs = spectrum(hidden), by_covariance(hidden.astype(np.float64))
    assert isinstance(mine, Spectrum)
    assert mine.lambda11 == pytest.approx(theirs.lambda11, rel=1e-8)


def test_centring_takes_one_dimension() -> None:
    hidden = np.random.default_rng(1).normal(size=(11, 64))
    assert covariance_eigenvalues(hidden)[10] == 0
    found = spectrum(hidden)
    assert isinstance(found, Spectrum)
    # only the ridge is left
    assert found.lambda11 == pytest.approx(1e-8 * np.cov(hidden, rowvar=False).trace() / 64)


@pytest.mark.parametrize(
    "hidden", [np.ones((10, 64)), np.ones((20, 8)), np.ones((20, 64)), np.full((20, 64), np.nan)]
)
def test_no_spectrum_no_number(hidden: np.ndarray) -> None:
    assert isinstance(spectrum(hidden), Withheld)
