"""A smaller model guesses: the tokens of plain greedy decoding, both models counted, the same on both."""

import pytest

from backends.abilities import HasDrafts
from backends.base import Backend, Generated
from backends.cut import FULL, Cut
from backends.guard import Observed, judge
from backends.ledger import decode_work, prefill_work, request_ledger
from tests.contracts.models import MODEL_BACKENDS, PROMPT, generate, load_tiny
from tests.tiny_models import save_tiny_llama

NEW_TOKENS, GUESSED = 16, 3
DRAFT = Cut(draft="small", draft_tokens=GUESSED)
CUTS = {
    "alone": DRAFT,
    "lookup first": DRAFT.model_copy(update={"lookup": True}),
    "a part of the cache and the same layers": Cut(**DRAFT.stated, kv_keep=0.9, drop_blocks=(3,)),
    "cache in few bits": Cut(**DRAFT.stated, kv_bits=8, kv_group_size=32),
}


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Backend, Backend]]:
    """By library a model, and its first layers, which guess for it."""
    folder, pairs = save_tiny_llama(tmp_path_factory.mktemp("llama"), hidden_size=128), {}
    for name in MODEL_BACKENDS:
        model, small = load_tiny(name, folder), load_tiny(name, folder, 3)
        assert isinstance(model, HasDrafts)
        model.take_drafts({"full": model, "small": small})
        pairs[name] = model, small
    return pairs


def said(model: Backend, cut: Cut, *, ids: list[int] | None = None) -> Generated:
    model.ready(cut)
    return generate(model, ids or model.encode(PROMPT), cut, max_new_tokens=NEW_TOKENS)


@pytest.mark.parametrize("cut", CUTS.values(), ids=list(CUTS))
def test_the_tokens_are_those_of_plain_decoding_in_fewer_forwards(
    drafted: dict[str, tuple[Backend, Backend]], cut: Cut
) -> None:
    counts = set()
    for model, _ in drafted.values():
        fast, slow = said(model, cut), said(model, cut.unguessed)
        assert fast.tokens == slow.tokens
        assert fast.forwards + sum(right for _, right in fast.drafts) == NEW_TOKENS - 1
        assert fast.forwards < slow.forwards
        counts.add((fast.drafts, fast.draft_fed))
    assert len(counts) == 1 or cut.cache_bits, "each library stores few bits in its own way"


@pytest.mark.parametrize("name", MODEL_BACKENDS)
def test_it_guesses_what_the_smaller_model_would_say(
    drafted: dict[str, tuple[Backend, Backend]], name: str
) -> None:
    """Beside a slow reference, which asks both models for the whole text every time."""
    model, small = drafted[name]
    fast = said(model, DRAFT)
    text, drafts = [*model.encode(PROMPT), fast.tokens[0]], list[tuple[int, int]]()
    whole = [*model.encode(PROMPT), *fast.tokens]
    while len(text) < len(whole):
        guess = list[int]()
        for _ in range(min(GUESSED, len(whole) - len(text) - 1)):
            guess.append(int(small.logits([*text, *guess])[-1].argmax()))
        right = next((n for n, token in enumerate(guess) if token != whole[len(text) + n]), len(guess))
        drafts.append((len(guess), right))
        text += whole[len(text) : len(text) + right + 1]
    assert fast.drafts == tuple(drafts)


@pytest.mark.parametrize("name", MODEL_BACKENDS)
def test_the_ledger_has_what_both_models_read(drafted: dict[str, tuple[Backend, Backend]], name: str) -> None:
    model, small = drafted[name]
    ids, fast = model.encode(PROMPT), said(model, DRAFT)
    shape, guessing = model.shape(DRAFT), small.shape()
    assert shape is not None
    assert guessing is not None
    both = request_ledger(shape, DRAFT, prompt_tokens=len(ids), generated=fast)
    checks = [(1 + guessed, 1 + right) for guessed, right in fast.drafts]
    whole = model.shape(FULL)
    assert whole is not None
    of_the_large = prefill_work(whole, [len(ids)]), decode_work(whole, len(ids), checks)
    of_the_small = prefill_work(guessing, [len(ids)]), decode_work(guessing, len(ids), list(fast.draft_fed))
    assert both.prefill.bytes == of_the_large[0].bytes + of_the_small[0].bytes
    assert both.decode.bytes == of_the_large[1].bytes + of_the_small[1].bytes
    assert both.decode.flops == of_the_large[1].flops + of_the_small[1].flops
    assert sum(stay for _, stay in fast.draft_fed) <= NEW_TOKENS - 1


@pytest.mark.parametrize("name", MODEL_BACKENDS)
def test_the_guard_wants_a_forward_saved(drafted: dict[str, tuple[Backend, Backend]], name: str) -> None:
    model, _ = drafted[name]
    ids = model.encode(PROMPT)
    logits = model.logits_after(ids, [1, 2])
    seen = Observed(full=said(model, FULL), cut=said(model, DRAFT), full_logits=logits, cut_logits=logits)
    assert judge(DRAFT, seen).effective
    idle = Observed(full=seen.full, cut=seen.full, full_logits=logits, cut_logits=logits)
    assert "draft saved no forward: 15 forwards for 16" in judge(DRAFT, idle).reason
