"""Which weights a decode step multiplies with."""

from backends.matrices import bytes_and_flops, matrix_names


def test_matrices_are_counted_once():
    tied = {"model.embed_tokens.weight": (9, 4), "model.layers.0.mlp.up_proj.weight": (8, 4), "norm": (4,)}
    assert matrix_names(tied) == ["model.layers.0.mlp.up_proj.weight", "model.embed_tokens.weight"]
    untied = {**tied, "lm_head.weight": (9, 4)}
    assert matrix_names(untied) == ["model.layers.0.mlp.up_proj.weight", "lm_head.weight"]
    gpt2 = {"wte.weight": (9, 4), "wpe.weight": (5, 4), "h.0.attn.c_attn.weight": (4, 12)}
    assert matrix_names(gpt2) == ["h.0.attn.c_attn.weight", "wte.weight"]


def test_a_product_reads_each_number_once_and_takes_two_flops():
    assert bytes_and_flops([(10, 40), (6, 12)]) == (52, 32)
