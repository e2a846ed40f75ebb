from dataclasses import replace

import numpy as np
import pytest

from analysis.correlation import Coefficient, Correlation
from analysis.regression import LinearFit
from analysis.rows import SpectralPoint
from analysis.study import associations, confounders
from analysis.values import Withheld


def points(count: int = 60) -> list[SpectralPoint]:
    """lambda11 follows from length alone; lambda2 is related to length."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(count):
        length = int(rng.integers(20, 400))
        found.append(
            SpectralPoint(
                prompt=f"p{i}",
                model="m",
                prompt_tokens=length,
                residue=1,
                lambda2=0.3 + length / 1e4 + float(rng.normal(0, 0.005)),
                lambda11=50 - length / 10 + float(rng.normal(0, 1)),
                lambda11_share=float(rng.uniform()),
                mean_id=float(rng.uniform(100, 200)),
                log_norm=float(rng.uniform(8, 12)),
            )
        )
    return found


def test_length_explains_what_lambda2_seemed_to() -> None:
    rows = points()
    table = {(row.model, row.diagnostic): row.correlation for row in associations(rows)}
    alone = table["m", "lambda11"]
    assert isinstance(alone, Correlation)
    assert alone.pearson.p < 1e-6
    by_length = confounders(rows)[0]
    assert by_length.covariate == "length"
    assert isinstance(by_length.partial, Coefficient)
    assert by_length.partial.p > 0.01
    assert isinstance(by_length.fit, LinearFit)
    assert by_length.fit.terms["covariate"].value.contains(-0.1)


def test_undefined_points_are_counted_and_left_out() -> None:
    rows = points()
    rows[0] = replace(rows[0], lambda2=None)
    first = associations(rows)[0]
    assert first.undefined == 1
    assert isinstance(first.correlation, Correlation)
    assert first.correlation.distinct == 59


def test_repeats_do_not_count() -> None:
    once, often = associations(points(20))[0].correlation, associations(points(20) * 40)[0].correlation
    assert isinstance(once, Correlation)
    assert isinstance(often, Correlation)
    assert often.rows == 800
    assert often.pearson.p == pytest.approx(once.pearson.p)


def test_a_diagnostic_that_was_not_taken_is_withheld() -> None:
    assert {row.diagnostic for row in associations(points()) if isinstance(row.correlation, Withheld)} == {
        "tail_share",
        "participation",
    }
