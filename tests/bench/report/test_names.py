"""What things of a run are called where a person reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.base import BackendInfo
from bench.report.names import in_words, model_name, models_and_types
from bench.suite.header import ModelFound
from tests.bench.stored import run_header

INFO = BackendInfo(
    backend="torch",
    device="cpu",
    dtype="float32",
    architecture="llama",
    layers=2,
    parameters=10,
    weight_bytes=40,
    vocabulary=10,
    context=None,
    cache="DynamicCache",
    versions={},
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [("smollm2-135m", "smollm2-135m"), ("owner/name", "owner/name"), ("/home/me/models/4bit", "4bit")],
)
def test_a_folder_is_called_as_the_folder_is(asked: str, said: str) -> None:
    assert model_name(asked) == said


def test_a_model_is_named_with_the_type_it_ran_in_and_the_one_it_was_saved_in() -> None:
    full = ModelFound(name="full", saved_as="bfloat16")
    header = run_header(models={"full": full, "eight": ModelFound(name="/tmp/eight", saved_as="8 bits")})
    loaded = {"torch/full": INFO, "mlx/full": replace(INFO, backend="mlx"), "mlx/eight": INFO}
    assert models_and_types(header, loaded) == ["full (float32, saved as bfloat16)", "eight (8 bits)"]
    loaded["mlx/full"] = replace(INFO, backend="mlx", dtype="bfloat16")
    assert models_and_types(header, loaded)[0] == "full (float32 on torch and bfloat16 on mlx)"
    header = run_header(models={"full": replace(full, saved_as="float32")})
    assert models_and_types(header, {"torch/full": INFO}) == ["full (float32)"]
    assert models_and_types(header, {}) == ["full"]
    assert models_and_types(header, {"torch/full": replace(INFO, stand_in=True)}) == ["full"]


def test_names_of_code_are_words_in_files() -> None:
    row = {"arm": 1, "passes": 2, "decode_withheld": 3, "gross_j": 4}
    assert in_words(row) == {"configuration": 1, "repeats": 2, "decode_not_estimated": 3, "gross_j": 4}
