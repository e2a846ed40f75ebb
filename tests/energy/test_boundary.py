import numpy as np

from energy.base import Trace
from energy.boundary import total_j, total_w

ENDS_S = np.array([0.5, 1.0])
TRACE = Trace(("cpu", "gpu"), ENDS_S - 0.5, ENDS_S, np.array([[1.0, 2.0], [1.0, np.nan]]), 0.0)


def test_a_total_is_known_where_every_rail_is():
    np.testing.assert_array_equal(total_j(TRACE, ("cpu", "gpu")), [3.0, np.nan])
    np.testing.assert_array_equal(total_w(TRACE, ("cpu", "gpu")), [6.0, np.nan])
    np.testing.assert_array_equal(total_w(TRACE, ("cpu",)), [2.0, 2.0])


def test_a_rail_that_is_not_there_leaves_no_total():
    assert np.isnan(total_j(TRACE, ("cpu", "ane"))).all()
    assert np.isnan(total_w(TRACE, ())).all()
