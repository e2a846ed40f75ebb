import numpy as np
import pytest

from backends.cut import Cut
from backends.units import kept_units, unit_norms

UNITS = 100


def chosen(cut: Cut, layer: int = 0) -> list[int]:
    norms = np.arange(UNITS)[::-1].astype(float)
    return np.arange(UNITS)[kept_units(cut, layer, UNITS, lambda: norms)].tolist()


def test_first():
    assert chosen(Cut(mlp_keep=0.4)) == list(range(40))


def test_random_is_seeded_and_different_in_each_layer():
    cut = Cut(mlp_keep=0.4, mlp_policy="random", mlp_seed=1)
    units = chosen(cut)
    assert units == chosen(cut) == sorted(set(units))
    assert len(units) == 40
    assert units != chosen(cut, layer=1)
    assert units != chosen(cut.model_copy(update={"mlp_seed": 2}))


def test_largest_norm():
    assert chosen(Cut(mlp_keep=0.4, mlp_policy="largest_norm")) == list(range(40))


@pytest.mark.parametrize("policy", ["first", "random", "largest_norm"])
def test_all(policy: str):
    assert chosen(Cut.model_validate({"mlp_policy": policy})) == list(range(UNITS))


def test_norms_are_over_all_weights_of_a_unit():
    into = np.array([[3.0, 0.0], [0.0, 1.0]])
    out = np.array([[4.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(unit_norms([into, into * 0], out), [5, 5**0.5])
