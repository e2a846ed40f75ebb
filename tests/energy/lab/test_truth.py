from pathlib import Path

import numpy as np

from energy.lab.standin import TruthWriter
from tests.energy.lab.truth import read_truth


def test_joules_between_two_instants(tmp_path: Path):
    writer = TruthWriter(tmp_path / "truth", ("cpu", "gpu"))
    for time_s in (0.0, 1.0, 2.0):
        writer.add(time_s, (2.0 * time_s, 0.5 * time_s))
    writer.close()
    truth = read_truth(tmp_path / "truth")
    assert truth.rails == ("cpu", "gpu")
    np.testing.assert_allclose(truth.joules_between(0.25, 1.75), [3.0, 0.75])
    assert np.isnan(truth.joules_between(1.0, 3.0)).all()


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path):
    (tmp_path / "truth").write_text("time_s\tcpu_j\n0\t0\n1\t2\n2\t")
    np.testing.assert_allclose(read_truth(tmp_path / "truth").time_s, [0, 1])
