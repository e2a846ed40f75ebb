from collections import defaultdict

import numpy as np
import pytest

from bench.report.names import arm_label
from bench.report.story import Story
from bench.run.records import RequestRecord, SlotRecord
from tests.bench.report.figures.drawn import row, table

WARM = {3, 7}


def by_block(story: Story, backend: str, gate: str, *, a_a: bool = False) -> dict[int, float]:
    """Mean J per new token over the slots of each block of which all count, from the stored records."""
    run = story.readback.run
    key = (backend, gate, a_a)
    throttled = {s.block for s in story.readback.slots if s.excluded and s.record.arm == key}
    assert throttled <= WARM
    tokens: dict[tuple[int, int], int] = defaultdict(int)
    for request in run.of(RequestRecord):
        tokens[request.block, request.position] += len(request.tokens)
    blocks = defaultdict(list)
    for slot in run.of(SlotRecord):
        if slot.arm == key and slot.block not in throttled:
            blocks[slot.block].append(slot.joules.total_j / tokens[slot.block, slot.position])
    return {block: float(np.mean(values)) for block, values in blocks.items()}


@pytest.mark.parametrize("backend", ["torch", "mlx"])
@pytest.mark.parametrize("gate", ["ungated", "norm_fraction"])
def test_means_are_those_of_the_records(made: Story, backend: str, gate: str) -> None:
    found = row(table("joules-per-token", made), arm_label((backend, gate, False)))
    copies = [
        by_block(made, backend, gate, a_a=a_a) for a_a in ((False, True) if gate == "ungated" else (False,))
    ]
    assert found["blocks"] >= len(copies[0]) >= 6
    values = [copy[block] for block in set.intersection(*map(set, copies)) for copy in copies]
    assert found["mean_j"] == pytest.approx(float(np.exp(np.mean(np.log(values)))), rel=1e-6)
    assert found["low_j"] < found["mean_j"] < found["high_j"]


def test_one_block_has_a_mean_and_no_interval(echo: Story) -> None:
    found = row(table("joules-per-token", echo), "echo length")
    [value] = by_block(echo, "echo", "length").values()
    assert found["mean_j"] == pytest.approx(value, rel=1e-6)
    assert np.isnan(found["low_j"])
    assert np.isnan(found["high_j"])


def test_the_band_is_the_noise_floor_of_the_summary(made: Story) -> None:
    floors = {r.backend: r.noise_percent for r in made.summary.rows if r.a_a}
    found = table("joules-per-token", made)
    assert dict(zip(found["backend"], found["noise_percent"], strict=True)) == floors
