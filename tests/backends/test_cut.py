import pytest

from backends.cut import FULL, Cut


def test_the_default_leaves_nothing_out():
    assert Cut() == FULL
    assert FULL.is_full
    assert FULL.kept_positions(17) == FULL.kept_units(17) == 17
    assert FULL.attends(0)
    assert FULL.has_mlp(0)


@pytest.mark.parametrize(
    "cut",
    [
        Cut(kv_keep=0.9),
        Cut(mlp_keep=0.9),
        Cut(drop_attention=(0,)),
        Cut(drop_mlp=(0,)),
        Cut(drop_blocks=(0,)),
        Cut(weight_bits=8),
        Cut(lookup=True),
    ],
)
def test_every_part_leaves_something_out(cut: Cut):
    assert not cut.is_full


@pytest.mark.parametrize(
    ("fraction", "tokens", "kept"), [(0.5, 7, 3), (0.1, 7, 1), (1.0, 7, 7), (0.99, 1, 1)]
)
def test_positions_that_stay(fraction: float, tokens: int, kept: int):
    assert Cut(kv_keep=fraction).kept_positions(tokens) == kept


@pytest.mark.parametrize(
    ("fraction", "bits", "units", "kept"),
    [
        (0.3, None, 1536, 460),
        (0.01, None, 1536, 32),
        (0.5, None, 24, 24),
        (0.3, 4, 1536, 448),
        (0.01, 8, 1536, 64),
    ],
)
def test_units_that_stay(fraction: float, bits: int | None, units: int, kept: int):
    assert Cut(mlp_keep=fraction, weight_bits=bits).kept_units(units) == kept


def test_layers_are_a_set_in_order():
    assert Cut(drop_mlp=(3, 1, 3)) == Cut(drop_mlp=(1, 3))


def test_only_what_needs_other_weights_is_prepared():
    cut = Cut(kv_keep=0.5, lookup=True, mlp_keep=0.5, mlp_seed=9)
    assert cut.weights == Cut(mlp_keep=0.5)
    assert Cut(kv_keep=0.5, lookup=True).weights == FULL
    assert Cut(mlp_policy="random", mlp_seed=9).weights == FULL
    assert Cut(mlp_keep=0.5, mlp_policy="random", mlp_seed=9).weights.mlp_seed == 9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kv_keep": 0}, "kv_keep = 0; give a fraction above 0 and at most 1"),
        ({"kv_keep": 1.01}, "kv_keep = 1.01; give"),
        ({"mlp_keep": -0.5}, "mlp_keep = -0.5; give"),
        ({"mlp_keep": float("nan")}, "mlp_keep = nan; give"),
        ({"drop_blocks": (2, -1)}, r"drop_blocks = \[2, -1\]; layers are numbered from 0"),
        ({"weight_bits": 3}, "weight_bits = 3; give 16, 8 or 4"),
        ({"lookup_ngram": 0}, "lookup_ngram = 0; give 1 or more"),
        ({"lookup_tokens": 0}, "lookup_tokens = 0; give 1 or more"),
        ({"snapkv_window": 0}, "snapkv_window = 0; give 1 or more"),
        ({"kv_sinks": -1}, "kv_sinks = -1; give 0 or more"),
        ({"mlp_seed": -1}, "mlp_seed = -1; give 0 or more"),
        ({"kv_policy": "oldest"}, "'window', 'sinks_window', 'heavy_hitters', 'snapkv' or 'tova'"),
        ({"mlp_policy": "last"}, "'first', 'random' or 'largest_norm'"),
        ({"kv_kept": 0.5}, "unknown key"),
    ],
)
def test_values_out_of_range_are_named(options: dict[str, object], said: str):
    with pytest.raises(ValueError, match=said):
        Cut.model_validate(options)


def test_it_goes_through_json():
    cut = Cut(kv_keep=0.25, kv_policy="snapkv", drop_mlp=(1, 2), weight_bits=4)
    assert Cut.model_validate_json(cut.model_dump_json()) == cut
