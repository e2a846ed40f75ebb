import numpy as np
import pytest

from backends.streams import LayerStreams, redundancy_of

BEFORE = np.array([[1.0, 0.0], [0.0, 2.0]])
TURNED = np.array([[-1.0, 1.0], [2.0, -2.0]])
"""Added to `BEFORE` it turns every token by 90 degrees."""


def layer(*, attention: float, mlp: float) -> LayerStreams:
    added = TURNED * attention, TURNED * mlp
    return LayerStreams(before=BEFORE, after=BEFORE + sum(added), attention=added[0], mlp=added[1])


def test_a_module_that_adds_nothing_is_redundant():
    found = redundancy_of([layer(attention=0, mlp=0)], parallel=False)
    assert found.attention == found.mlp == found.block == (pytest.approx(0),)


def test_a_turn_by_90_degrees_is_one():
    found = redundancy_of([layer(attention=1, mlp=0), layer(attention=0, mlp=1)], parallel=False)
    assert found.attention == (pytest.approx(1), pytest.approx(0))
    assert found.mlp == (pytest.approx(0), pytest.approx(1))
    assert found.block == (pytest.approx(1), pytest.approx(1))


def test_an_mlp_in_a_row_sees_what_attention_added():
    layers = [layer(attention=1, mlp=-1)]
    assert redundancy_of(layers, parallel=False).mlp == (pytest.approx(1),)
    assert redundancy_of(layers, parallel=True).mlp[0] == pytest.approx(1 - 2 / 5**0.5)
    assert redundancy_of(layers, parallel=True).block == (pytest.approx(0),)


def test_an_mlp_after_a_state_sees_what_that_added_too():
    stream = LayerStreams(before=BEFORE, after=BEFORE + TURNED - TURNED, mlp=-TURNED)
    found = redundancy_of([stream], parallel=False, has_state=True)
    assert (found.attention, found.mlp) == ((None,), (pytest.approx(1),))
    assert found.block == (pytest.approx(0),)
