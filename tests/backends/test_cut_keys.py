"""A key is a strength exactly if it alone can make a cut leave something out."""

from __future__ import annotations

import pytest

from backends.cut import Cut
from backends.cut_keys import STRENGTHS

OTHER_VALUES = {
    "kv_keep": 0.5,
    "kv_direct": "h0",
    "kv_hot": 8,
    "kv_bits": 8,
    "kv_bits_k": 8,
    "kv_bits_v": 4,
    "kv_group_size": 32,
    "kv_policy": "snapkv",
    "kv_bounded": True,
    "kv_sinks": 2,
    "snapkv_window": 8,
    "mlp_keep": 0.5,
    "mlp_policy": "random",
    "mlp_seed": 3,
    "drop_attention": (1,),
    "drop_mlp": (1,),
    "drop_blocks": (1,),
    "weight_bits": 8,
    "lookup": True,
    "lookup_rule": "copyspec",
    "lookup_ngram": 2,
    "lookup_tokens": 5,
    "draft": "small",
    "draft_tokens": 2,
}


@pytest.mark.parametrize("key", Cut.model_fields)
def test_a_strength_alone_leaves_something_out_and_no_other_key_does(key: str) -> None:
    assert Cut.model_validate({key: OTHER_VALUES[key]}).is_full == (key not in STRENGTHS)


def test_every_strength_is_a_key_of_a_cut() -> None:
    assert set(STRENGTHS) <= set(Cut.model_fields)
