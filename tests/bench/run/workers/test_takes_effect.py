"""On which prompt it is tried whether a gate takes effect."""

from types import SimpleNamespace
from typing import Any

import pytest

from backends.cut import FULL, Cut
from bench.run.workers.takes_effect import outcome
from bench.suite.gates.base import Budget

IDS = {"short": [1], "long": [1, 2, 3], "middle": [1, 2]}


class AskedError(Exception):
    """Carries the prompt."""


@pytest.mark.parametrize(
    ("cut", "tried"),
    [(Cut(lookup=True), "long"), (Cut(draft="small"), "long"), (Cut(kv_keep=0.5), "short")],
)
def test_guesses_are_tried_where_there_is_most_to_copy_and_all_else_on_the_first(
    cut: Cut, tried: str
) -> None:
    """A first turn may have nothing to copy, while the second quotes its answer."""

    def prefill(ids: list[int], _: Cut) -> Any:
        raise AskedError(ids)

    models: Any = {"full": SimpleNamespace(prefill=prefill, decode=None)}
    usual, chosen = ({prompt: Budget(cut=c) for prompt in IDS} for c in (FULL, cut))
    with pytest.raises(AskedError) as asked:
        outcome(models, {"full": IDS}, usual=usual, chosen=chosen, new_tokens=4)
    assert asked.value.args == (IDS[tried],)
