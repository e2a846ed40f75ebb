"""What things of a run are called where a person reads them."""

from __future__ import annotations

import pytest

from bench.report.names import model_name


@pytest.mark.parametrize(
    ("asked", "said"),
    [("smollm2-135m", "smollm2-135m"), ("owner/name", "owner/name"), ("/home/me/models/4bit", "4bit")],
)
def test_a_folder_is_called_as_the_folder_is(asked: str, said: str) -> None:
    assert model_name(asked) == said
