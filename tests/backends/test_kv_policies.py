"""Choices by attention that is made by hand."""

from __future__ import annotations

import pytest
import torch

from backends.cut import Cut
from backends.kv_policies import AttentionSeen
from backends.torch.arrays import TorchArrays

WIDTH = 4


def attending(weights: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries (1, heads, 1, width) and one head's keys (1, 1, L, width) with these scores, head by head."""
    scores = torch.tensor(weights)
    queries = torch.eye(len(weights), WIDTH)[None, :, None]
    keys = torch.zeros(1, 1, scores.shape[1], WIDTH)
    keys[0, 0, :, : len(weights)] = scores.T
    return queries, keys


@pytest.mark.parametrize(("keep", "kept"), [(0.2, [3]), (0.4, [0, 3]), (0.6, [0, 1, 3])])
def test_tova_keeps_what_the_heads_of_the_last_query_look_at_in_the_mean(keep: float, kept: list[int]):
    """One head looks at 3 alone, the other at 0 and a little at 1; the last position is not protected."""
    cut = Cut(kv_keep=keep, kv_policy="tova")
    seen = AttentionSeen(TorchArrays(torch.device("cpu")), cut, tokens=5, layers=[0])
    queries, keys = attending([[0.0, 0.0, 0.0, 9.0, 0.0], [4.0, 3.0, 0.0, 0.0, 0.0]])
    seen.look(queries, keys, None, 1.0)
    assert seen.choose()[0].tolist() == [kept]


def test_a_bounded_tova_forgets_what_the_query_before_looked_at():
    cut = Cut(kv_keep=0.4, kv_policy="tova", kv_bounded=True)
    seen = AttentionSeen(TorchArrays(torch.device("cpu")), cut, tokens=5, layers=[0])
    seen.look(*attending([[0.0, 0.0, 0.0, 9.0, 2.0]]), None, 1.0)
    assert seen.choose()[0].tolist() == [[3, 4]]
    seen.look(*attending([[1.0, 5.0, 7.0]]), None, 1.0)
    assert seen.choose()[0].tolist() == [[1, 2]]
