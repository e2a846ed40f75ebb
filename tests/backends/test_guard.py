from dataclasses import replace

import numpy as np
import pytest

from backends.base import Generated, Used
from backends.cut import Cut
from backends.guard import Observed, judge

FULL_USED = Used(cache_lengths=(10, 10), mlp_units=(100, 100), weight_bytes=1000)
LOGITS = np.zeros((3, 4), dtype=np.float32)


def seen(used: Used | None = FULL_USED, *, changed: bool = True, cut_forwards: int = 4) -> Observed:
    full = Generated(tokens=[1, 2, 3, 4, 5], forwards=4, used=FULL_USED, cache_lengths=(14, 14))
    return Observed(
        full=full,
        cut=replace(full, used=used, forwards=cut_forwards),
        full_logits=LOGITS,
        cut_logits=LOGITS + changed,
    )


@pytest.mark.parametrize(
    ("cut", "used"),
    [
        (Cut(kv_keep=0.5), replace(FULL_USED, cache_lengths=(5, 5))),
        (Cut(mlp_keep=0.5), replace(FULL_USED, mlp_units=(50, 50), weight_bytes=600)),
        (Cut(drop_mlp=(1,)), replace(FULL_USED, mlp_units=(100, 0), weight_bytes=600)),
        (Cut(drop_attention=(0,)), replace(FULL_USED, cache_lengths=(0, 10), weight_bytes=600)),
        (Cut(drop_blocks=(0,)), Used(cache_lengths=(0, 10), mlp_units=(0, 100), weight_bytes=600)),
        (Cut(weight_bits=4), replace(FULL_USED, weight_bytes=600)),
    ],
)
def test_a_cut_that_was_made_is_effective(cut: Cut, used: Used):
    verdict = judge(cut, seen(used))
    assert verdict.effective
    assert verdict.reason == ""


@pytest.mark.parametrize(
    ("cut", "used", "reason"),
    [
        (Cut(), FULL_USED, "leaves nothing out"),
        (Cut(kv_keep=0.5), FULL_USED, "5 of 10 cache positions were asked for, but layer 0 held 10"),
        (Cut(mlp_keep=0.5), FULL_USED, "50 of 100 MLP units were asked for, but layer 0 used 100"),
        (Cut(drop_mlp=(1,)), FULL_USED, "0 of 100 MLP units were asked for, but layer 1 used 100"),
        (Cut(drop_attention=(1,)), FULL_USED, "0 of 10 cache positions .* layer 1 held 10"),
        (Cut(weight_bits=16), FULL_USED, "read 1000 bytes of weights, without the cut 1000"),
        (
            Cut(kv_keep=0.5, kv_bounded=True),
            replace(FULL_USED, cache_lengths=(5, 4)),
            "5 of 10 cache positions were asked for, but layer 1 held 4",
        ),
        (
            Cut(kv_keep=0.5, kv_bounded=True),
            replace(FULL_USED, cache_lengths=(5, 5)),
            "5 cache positions were asked for throughout, but layer 0 ended with 14",
        ),
        (Cut(kv_keep=0.5), None, "runs no model"),
    ],
)
def test_what_was_not_left_out_is_named(cut: Cut, used: Used | None, reason: str):
    verdict = judge(cut, seen(used))
    assert verdict.outcome == "gate inactive"
    assert not verdict.effective
    with pytest.raises(ValueError, match=reason):
        raise ValueError(verdict.reason)


def test_equal_logits_are_equal_computation():
    used = replace(FULL_USED, mlp_units=(50, 50), weight_bytes=600)
    assert "logits are the same" in judge(Cut(mlp_keep=0.5), seen(used, changed=False)).reason


def test_lookup_must_save_a_forward_and_change_no_token():
    cut = Cut(lookup=True)
    assert judge(cut, seen(changed=False, cut_forwards=3)).effective
    assert "saved no forward" in judge(cut, seen(changed=False)).reason
    other = seen(changed=False, cut_forwards=3)
    other = replace(other, cut=replace(other.cut, tokens=[1, 2, 3, 4, 6]))
    assert "changed the tokens" in judge(cut, other).reason
