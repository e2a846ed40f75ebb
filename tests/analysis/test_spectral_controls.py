from dataclasses import replace

import numpy as np
import pytest

from analysis.correlation import Correlation, Permutation
from analysis.rows import SpectralPoint
from analysis.spectral_controls import Controls, controls
from analysis.values import Withheld
from tests.analysis.published.connectivity import all_tables

TABLES = all_tables()
RELABELLINGS = 400


def points(count: int = 240, *, slope: float = 0.0) -> list[SpectralPoint]:
    """Random norms; lambda11 follows lambda2 with `slope`, and is noise otherwise."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(count):
        norm = int(rng.integers(1000, 100_000))
        lambda2 = TABLES[24].get(norm % 24)
        found.append(
            SpectralPoint(
                prompt=f"p{i}",
                model="m",
                prompt_tokens=40,
                residue=norm % 24,
                lambda2=lambda2,
                lambda11=slope * (lambda2 or 0.3) + float(rng.normal()),
                whole_norm=norm,
            )
        )
    return found


def norms(count: int = 240) -> np.ndarray:
    return np.random.default_rng(6).integers(1000, 100_000, (RELABELLINGS, count))


def judged(rows: list[SpectralPoint]) -> Controls:
    return controls(rows, TABLES, norms(len(rows)))


def p_of(value: Permutation | Withheld) -> float:
    assert isinstance(value, Permutation)
    return value.p


def test_a_true_effect_survives_the_controls() -> None:
    found = judged(points(slope=60.0))
    assert p_of(found.shuffled_table) < 0.01
    assert p_of(found.relabelled) == pytest.approx(1 / (1 + RELABELLINGS))
    assert isinstance(found.moduli[24], Correlation)
    assert found.moduli[24].pearson.p < 1e-6


def test_chance_does_not() -> None:
    found = judged(points())
    assert p_of(found.shuffled_table) > 0.05
    assert p_of(found.relabelled) > 0.05


def test_repeats_count_once() -> None:
    once, often = points(), points() * 40
    repeated = controls(often, TABLES, np.tile(norms(), 40))
    assert repeated == judged(once)


def test_without_ids_and_norms_the_reason_is_given() -> None:
    rows = [replace(point, whole_norm=None) for point in points()]
    found = controls(rows, TABLES)
    assert isinstance(found.relabelled, Withheld)
    assert all(isinstance(value, Withheld) for value in found.moduli.values())
    assert isinstance(found.shuffled_table, Permutation)


def test_too_few_defined_points_are_withheld() -> None:
    rows = [replace(point, residue=0, lambda2=None) for point in points(20)]
    found = controls(rows, TABLES, norms(20))
    assert isinstance(found.shuffled_table, Withheld)
    assert isinstance(found.relabelled, Withheld)
