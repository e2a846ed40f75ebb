from collections import defaultdict

import numpy as np
import pytest

from bench.report.story import Story
from tests.bench.report.figures.drawn import row, table


def by_block(story: Story, backend: str, gate: str, *, a_a: bool = False) -> list[float]:
    """Mean J per new token of the slots of each block, from the stored records alone."""
    run = story.readback.run
    tokens: dict[tuple[int, int], int] = defaultdict(int)
    for request in run.of_type("request"):
        tokens[request["block"], request["position"]] += len(request["tokens"])
    blocks = defaultdict(list)
    for slot in run.of_type("slot"):
        if (slot["backend"], slot["gate"], slot["a_a"]) == (backend, gate, a_a):
            joules = slot["joules"]["total_j"]
            blocks[slot["block"]].append(joules / tokens[slot["block"], slot["position"]])
    return [float(np.mean(values)) for values in blocks.values()]


@pytest.mark.parametrize("backend", ["torch", "mlx"])
@pytest.mark.parametrize("gate", ["ungated", "norm_fraction"])
def test_means_are_those_of_the_records(made: Story, backend: str, gate: str) -> None:
    found = row(table("joules-per-token", made), f"{backend} {gate}")
    values = by_block(made, backend, gate)
    assert found["blocks"] == len(values) == 6
    assert found["mean_j"] == pytest.approx(float(np.exp(np.mean(np.log(values)))), rel=1e-6)
    assert found["low_j"] < found["mean_j"] < found["high_j"]


def test_one_block_has_a_mean_and_no_interval(echo: Story) -> None:
    found = row(table("joules-per-token", echo), "echo length")
    [value] = by_block(echo, "echo", "length")
    assert found["mean_j"] == pytest.approx(value, rel=1e-6)
    assert np.isnan(found["low_j"])
    assert np.isnan(found["high_j"])


def test_the_band_is_the_noise_floor_of_the_summary(made: Story) -> None:
    floors = {r.backend: r.noise_floor_percent for r in made.summary.rows if r.gate == "norm_fraction"}
    found = table("joules-per-token", made)
    assert dict(zip(found["backend"], found["noise_floor_percent"], strict=True)) == floors
