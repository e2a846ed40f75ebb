"""Against counts by hand."""

from dataclasses import replace

import pytest

from backends.base import Generated, Used
from backends.cut import FULL, Cut
from backends.ledger import Ledger, request_ledger
from backends.shape import Attention, KeptState, Latent, LayerShape, Shape

HEADS, KEY_HEADS, WIDTH = 4, 2, 3
ATTENTION = Attention(numbers=2 * KEY_HEADS * WIDTH, products=2 * HEADS * WIDTH)
LAYER = LayerShape(
    attention_weights=40,
    attention_bytes=160,
    mlp_weights=60,
    mlp_bytes=240,
    mlp_units=5,
    norm_bytes=8,
    attention=ATTENTION,
)
WITHOUT_ATTENTION = LayerShape(
    attention_weights=0, attention_bytes=0, mlp_weights=60, mlp_bytes=240, mlp_units=5, norm_bytes=4
)
PROMPT = 6


def shape(*layers: LayerShape) -> Shape:
    return Shape(
        layers=layers,
        head_weights=100,
        head_bytes=404,
        row_bytes=16,
        number_bytes=4,
    )


def windowed_to(positions: int) -> LayerShape:
    return replace(LAYER, attention=replace(ATTENTION, window=positions))


def ledger(of: Shape, cut: Cut = FULL, *, forwards: int, drafts: tuple[tuple[int, int], ...] = ()) -> Ledger:
    generated = Generated(tokens=[0] * (forwards + 1), forwards=forwards, drafts=drafts)
    return request_ledger(of, cut, prompt_tokens=PROMPT, generated=generated)


def test_prefill_reads_everything_once():
    prefill = ledger(shape(LAYER, LAYER), forwards=0).prefill
    assert prefill.forwards == 1
    assert prefill.weight_bytes == 2 * 408 + 404 + PROMPT * 16
    assert prefill.kv_bytes == 2 * 48 * PROMPT
    pairs = 1 + 2 + 3 + 4 + 5 + 6
    assert prefill.flops == 2 * 200 * PROMPT + 2 * 100 + 2 * pairs * 2 * 2 * 4 * 3


def test_decode_reads_all_weights_and_a_growing_cache():
    decode = ledger(shape(LAYER, LAYER), forwards=3).decode
    assert decode.forwards == 3
    assert decode.weight_bytes == 3 * (2 * 408 + 404 + 16)
    assert decode.kv_bytes == 2 * 48 * (7 + 8 + 9)
    assert decode.flops == 3 * 2 * 300 + 2 * 48 * (7 + 8 + 9)
    assert decode.bytes == decode.weight_bytes + decode.kv_bytes


def test_without_a_forward_nothing_is_decoded():
    decode = ledger(shape(LAYER), forwards=0).decode
    assert (decode.forwards, decode.bytes, decode.flops) == (0, 0, 0)


def test_a_shorter_cache_is_read_in_decode_only():
    whole, cut = (ledger(shape(LAYER), cut, forwards=2) for cut in (FULL, Cut(kv_keep=0.5)))
    assert cut.prefill == whole.prefill
    assert cut.decode.kv_bytes == 48 * (4 + 5)
    assert cut.decode.weight_bytes == whole.decode.weight_bytes


def test_a_layer_without_attention_has_no_cache():
    decode = ledger(shape(LAYER, WITHOUT_ATTENTION), forwards=1).decode
    assert decode.kv_bytes == 48 * 7
    assert decode.weight_bytes == 408 + 244 + 404 + 16


def test_lookup_reads_the_weights_once_for_all_guesses():
    """Two forwards: 3 guesses of which 1 is right, then none. Wrong guesses leave the cache."""
    decode = ledger(shape(LAYER), forwards=2, drafts=((3, 1), (0, 0))).decode
    assert decode.forwards == 2
    assert decode.weight_bytes == 2 * (408 + 404) + 5 * 16
    assert decode.kv_bytes == 48 * (10 + 9)
    assert decode.flops == 5 * 2 * 200 + 48 * (7 + 8 + 9 + 10 + 9)


def test_a_shape_without_a_model_costs_nothing():
    nothing = Shape(layers=(), head_weights=0, head_bytes=0, row_bytes=0, number_bytes=0)
    assert ledger(nothing, forwards=3).decode.bytes == pytest.approx(0)


def test_a_window_bounds_what_a_layer_reads_and_sees():
    windowed = ledger(shape(LAYER, windowed_to(4)), forwards=3)
    assert windowed.prefill.kv_bytes == 2 * 48 * PROMPT  # every key is read once, by some query
    seen = (1 + 2 + 3 + 4 + 5 + 6) + (1 + 2 + 3 + 4 + 4 + 4)
    assert windowed.prefill.flops == 2 * 200 * PROMPT + 2 * 100 + seen * 2 * 2 * 4 * 3
    assert windowed.decode.kv_bytes == 48 * (7 + 8 + 9) + 48 * (4 + 4 + 4)
    assert windowed.decode.flops == 3 * 2 * 300 + 48 * (7 + 8 + 9) + 48 * (4 + 4 + 4)


def test_keys_and_values_are_made_of_all_latents_again_in_every_forward():
    """10 numbers of a position are held; the 12 weights that make keys and values are among the 40."""
    made = replace(ATTENTION, numbers=10, latent=Latent(weights=12, products=None))
    work = ledger(shape(replace(LAYER, attention=made)), forwards=2, drafts=((2, 0), (0, 0)))
    assert work.prefill == replace(ledger(shape(LAYER), forwards=0).prefill, kv_bytes=40 * PROMPT)
    assert work.decode.kv_bytes == 40 * (9 + 8)
    pairs = (7 + 8 + 9) + 8
    assert work.decode.flops == 4 * 2 * 200 + 48 * pairs + 2 * 12 * (6 + 7)


def test_a_single_token_may_attend_to_latents_as_they_are():
    taken = replace(ATTENTION, numbers=10, latent=Latent(weights=12, products=70))
    work = ledger(shape(replace(LAYER, attention=taken)), forwards=2, drafts=((2, 0), (0, 0)))
    assert work.decode.kv_bytes == 40 * (9 + 8)
    assert work.decode.flops == 4 * 2 * 200 + 48 * (7 + 8 + 9) + 2 * 12 * 6 + 2 * 70 * 8


def test_what_makes_an_input_for_every_layer_is_read_by_every_forward_for_every_token():
    plain, beside = (
        ledger(s, forwards=3)
        for s in (shape(LAYER), replace(shape(LAYER), beside_weights=7, beside_bytes=30))
    )
    for one, other, tokens in (
        (plain.prefill, beside.prefill, PROMPT),
        (plain.decode, beside.decode, 3),
    ):
        assert other.flops - one.flops == 2 * 7 * tokens
        assert other.weight_bytes - one.weight_bytes == 30 * one.forwards


def test_a_scan_renews_and_reads_every_number_and_the_delta_rule_reads_it_twice():
    state = KeptState(bytes=20, numbers=5)
    used = Used(cache_lengths=(PROMPT,), mlp_units=None, weight_bytes=None, state=state)
    generated = Generated(tokens=[0], forwards=3, used=used)
    none = ledger(shape(LAYER), forwards=3)
    for products in (2, 3):
        of = replace(shape(LAYER), scan_products=products)
        work = request_ledger(of, FULL, prompt_tokens=PROMPT, generated=generated)
        assert work.prefill.flops - none.prefill.flops == 2 * products * 5 * PROMPT
        assert work.decode.flops - none.decode.flops == 2 * products * 5 * 3
        assert work.decode.kv_bytes - none.decode.kv_bytes == 20 * 3


def test_a_window_that_holds_all_is_none():
    assert ledger(shape(windowed_to(99)), forwards=3) == ledger(shape(LAYER), forwards=3)
    guessed = {"forwards": 2, "drafts": ((3, 2), (1, 0))}
    assert ledger(shape(windowed_to(99)), **guessed) == ledger(shape(LAYER), **guessed)


def test_a_batch_reads_the_weights_once_and_the_cache_for_each_row():
    one, three = (
        request_ledger(
            shape(LAYER), FULL, prompt_tokens=PROMPT, generated=Generated(tokens=[0], forwards=2, batch=n)
        )
        for n in (1, 3)
    )
    for alone, together in ((one.prefill, three.prefill), (one.decode, three.decode)):
        assert together.forwards == alone.forwards
        assert together.kv_bytes == 3 * alone.kv_bytes
        assert together.flops == 3 * alone.flops
    assert three.decode.weight_bytes == 2 * (408 + 404) + 3 * 2 * 16


def test_every_chunk_reads_the_layers_and_the_last_one_the_head():
    used = Used(cache_lengths=(PROMPT,), mlp_units=None, weight_bytes=None, chunks=(4, 2))
    generated = Generated(tokens=[0], forwards=0, used=used)
    whole = ledger(shape(LAYER), forwards=0).prefill
    chunked = request_ledger(shape(LAYER), FULL, prompt_tokens=PROMPT, generated=generated).prefill
    assert chunked.forwards == 2
    assert chunked.flops == whole.flops
    assert chunked.weight_bytes == 2 * 408 + 404 + PROMPT * 16
    assert chunked.kv_bytes == 48 * (4 + 6)
