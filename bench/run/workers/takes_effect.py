"""Does a gate take effect on this prompt set? Published ones did not, and "no loss" was claimed of them.

effective       some prompt gets less than without the gate, and where that is a cut, what was counted
equals what was asked for and the logits change
gate inactive   anything else; no saving and no quality is then claimed of the gate
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.base import Backend
from backends.cut import FULL
from backends.guard import Observed, Verdict, judge
from bench.suite.gates.base import Budget

_TOKENS = 4
"""New tokens of the probe, through the cache: it takes a request's memory. What guesses needs all of them."""


def outcome(
    models: Mapping[str, Backend],
    prompts: Mapping[str, Mapping[str, list[int]]],
    *,
    usual: Mapping[str, Budget],
    chosen: Mapping[str, Budget],
    new_tokens: int,
) -> Verdict:
    """Whether one gate takes effect, and the reason where it is inactive.

    Args:
        models: by key, with every cut ready.
        prompts: token ids by model key and prompt id.
        usual: what each prompt gets without the gate, by prompt id.
        chosen: what the gate gives it.
        new_tokens: of a request whose budget does not say.
    """
    changed = {prompt: budget for prompt, budget in chosen.items() if budget != usual[prompt]}
    if not changed:
        return Verdict(outcome="gate inactive", reason="every prompt gets what it gets without the gate")
    with_cut = {prompt: budget for prompt, budget in changed.items() if budget.cut != FULL}
    if not with_cut or any(budget.model != usual[prompt].model for prompt, budget in changed.items()):
        return Verdict(outcome="effective", reason="")
    prompt = _telling(with_cut, prompts)
    budget = with_cut[prompt]
    observed = _observe(models[budget.model], prompts[budget.model][prompt], budget, new_tokens)
    return judge(budget.cut, observed)


def _telling(with_cut: Mapping[str, Budget], prompts: Mapping[str, Mapping[str, list[int]]]) -> str:
    """The prompt that is tried: the first; of guesses the longest, after which there is most to copy."""
    first = next(iter(with_cut))
    if not with_cut[first].cut.guesses:
        return first
    return max(with_cut, key=lambda prompt: len(prompts[with_cut[prompt].model][prompt]))


def _observe(model: Backend, ids: list[int], budget: Budget, new_tokens: int) -> Observed:
    tokens = budget.max_new_tokens or new_tokens if budget.cut.guesses else _TOKENS
    full, cut = (
        model.decode(model.prefill(ids, c), max_new_tokens=tokens, ignore_eos=True)
        for c in (FULL, budget.cut)
    )
    fed = full.tokens[: _TOKENS - 1]  # as many as the decodes have fed, so that they fit the context too
    return Observed(
        full=full,
        cut=cut,
        full_logits=model.logits_after(ids, fed),
        cut_logits=model.logits_after(ids, fed, budget.cut),
    )
