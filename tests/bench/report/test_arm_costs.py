"""One weighting rule for joules and speeds: windows weigh the same in a block, blocks in a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.report.readback import Readback
from bench.report.slots import SlotRead
from bench.report.summary import summarise
from tests.bench.report.random_runs import random_run


def drifting(seed: int) -> Readback:
    """A run in which everything slows down, second by second; its windows hold one to three repeats."""
    made = random_run(np.random.default_rng(seed))
    order = sorted(made.slots, key=lambda slot: slot.record.place)

    def slowed(place: int, slot: SlotRead) -> SlotRead:
        slower = 1 + 0.02 * place
        answers = [
            replace(one, prefilled_s=one.gated_s + slower, end_s=one.gated_s + 5 * slower, forwards=7)
            for one in slot.answers
        ]
        return replace(slot, answers=answers)

    return replace(made, slots=[slowed(i, slot) for i, slot in enumerate(order)])


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_a_linear_drift_cancels_in_speeds_too(seed: int) -> None:
    made = drifting(seed)
    whole = len(made.slots) == made.whole_blocks * 2 * len(made.arms)
    counts = all(slot.excluded is None for slot in made.slots)
    assert whole, "pick a seed without a void window"
    assert counts, "pick a seed without heat"
    assert len({slot.record.passes for slot in made.slots}) > 1
    rows = summarise(made).rows
    assert len({round(row.decode_tokens_per_s or 0, 9) for row in rows}) == 1
    assert len({round(row.prefill_tokens_per_s or 0, 9) for row in rows}) == 1
