import math

import numpy as np
import pytest

from bench.report.story import Story
from tests.bench.report.figures.drawn import drawing, row, table
from tests.bench.report.figures.test_joules_per_token import WARM, by_block


@pytest.mark.parametrize("backend", ["torch", "mlx"])
def test_a_saving_is_the_geometric_mean_over_blocks(made: Story, backend: str) -> None:
    found = row(table("savings", made), f"{backend} norm_fraction")
    gated, ungated = (by_block(made, backend, gate) for gate in ("norm_fraction", "ungated"))
    copy = by_block(made, backend, "ungated", a_a=True)
    whole = sorted(gated.keys() - WARM)
    baseline = {block: math.sqrt(ungated[block] * copy[block]) for block in whole}
    ratio = math.exp(np.mean([math.log(gated[block] / baseline[block]) for block in whole]))
    assert found["saved_percent"] == pytest.approx(100 * (1 - ratio), abs=0.01)
    assert found["low_percent"] < found["saved_percent"] < found["high_percent"]
    assert found["noise_percent"] > 0
    assert found["verdict"] == "saves, but answers differ"
    assert found["blocks"] == len(whole) == 6


def test_each_arm_but_the_first_is_held_against_another(made: Story) -> None:
    assert list(table("savings", made)["arm"]) == [
        *("torch (A/A)", "torch norm_fraction"),
        *("mlx", "mlx (A/A)", "mlx norm_fraction"),
    ]


def test_words_say_blocks_agreement_and_verdict(echo: Story) -> None:
    found = drawing("savings", echo)
    assert "not enough blocks, 1 block, token match" in found.alt
    assert np.isnan(row(found.table, "echo length")["low_percent"])


def test_the_copy_is_drawn_with_its_interval(made: Story) -> None:
    found = row(table("savings", made), "torch (A/A)")
    assert found["low_percent"] < found["saved_percent"] < found["high_percent"]
