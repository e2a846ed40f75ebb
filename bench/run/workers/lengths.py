"""Whether every prompt leaves room for its answer."""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import UserError
from bench.suite.config import Suite
from bench.suite.prepare import make_gates


def check_lengths(
    suite: Suite, ids: Mapping[str, Mapping[str, list[int]]], contexts: Mapping[str, int | None]
) -> None:
    """Every prompt must leave room for what it may generate, in every model it may be sent to.

    Args:
        suite: says how long answers are.
        ids: of the prompts, by model key and prompt id.
        contexts: tokens that each model can hold, by key; None is no limit.

    Raises:
        UserError: one does not.
    """
    for budget in {budget for gate in make_gates(suite).values() for budget in gate.budgets}:
        context = contexts[budget.model]
        new_tokens = budget.max_new_tokens or suite.generation.max_new_tokens
        for prompt, tokens in ids[budget.model].items():
            said, cut = f"prompt {prompt!r} has {len(tokens)} tokens", budget.cut
            if context is not None and len(tokens) + new_tokens > context:
                raise UserError(
                    f"{said}, and with {new_tokens} new ones it exceeds the context of "
                    f"{budget.model!r}, {context}",
                    fix="shorten it or lower max_new_tokens",
                )
            if cut.kv_policy == "snapkv" and cut.kv_keep < 1 and len(tokens) < cut.snapkv_window:
                raise UserError(
                    f"{said}, fewer than snapkv_window = {cut.snapkv_window}",
                    fix="lower the window or leave the prompt out",
                )
