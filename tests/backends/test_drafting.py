"""A model that guesses, on decoders that count: after n comes n + 1."""

from types import SimpleNamespace

import pytest

from backends.base import Generated, RequestError
from backends.cut import Cut
from backends.decoder import Decoder
from backends.drafting import DraftModel
from tests.backends.test_decoder import VOCABULARY, Counting

DRAFT = Cut(draft="small", draft_tokens=3)
TOKENS = {"a": 0, "b": 1}


def a_pair(*, tokens: dict[str, int] = TOKENS, sliding: bool = False) -> Decoder:
    """A decoder, beside one that may guess for it as "small"."""
    large, small = Counting(), Counting(sliding=sliding)
    large._tokenizer, small._tokenizer = SimpleNamespace(tokens=TOKENS), SimpleNamespace(tokens=tokens)
    large.take_drafts({"large": large, "small": small})
    return large


def say(model: Decoder, ids: list[int], cut: Cut, *, tokens: int, ignore_eos: bool = True) -> Generated:
    model.ready(cut)
    return model.decode(model.prefill(ids, cut), max_new_tokens=tokens, ignore_eos=ignore_eos)


def test_who_guesses_all_tokens_saves_the_forwards_of_them() -> None:
    said = say(a_pair(), [1, 2], DRAFT, tokens=9)
    assert said.tokens == list(range(3, 12))
    assert said.drafts == ((3, 3), (3, 3))
    assert said.draft_fed == ((1, 1), (1, 1), (1, 1), (2, 2), (1, 1), (1, 1))
    assert said.draft_used is not None


def test_it_ends_where_the_text_does() -> None:
    assert say(a_pair(), [9, 10], DRAFT, tokens=9, ignore_eos=False).tokens == [11, 12, 13]


def test_where_the_text_has_nothing_to_copy_the_other_model_guesses() -> None:
    """A counting text never repeats itself."""
    both = Cut(lookup=True, draft="small", draft_tokens=3)
    assert say(a_pair(), [1, 2], both, tokens=9).drafts == ((3, 3), (3, 3))


def test_a_wrong_guess_leaves_the_cache_and_is_counted() -> None:
    held, fed = [7], list[list[int]]()

    def verify(tokens: list[int]) -> list[int]:
        fed.append(tokens)
        held.extend(tokens)
        return [token + 1 for token in tokens]

    def drop(positions: int) -> None:
        del held[-positions:]

    model = DraftModel(verify, drop, tokens=3, vocabulary=20)
    model.append(8)
    assert model.following(5) == [9, 10, 11]
    model.append(9)
    model.append(4)
    assert model.following(2) == [5, 6]
    assert fed == [[8], [9], [10], [4], [5]]
    assert held == [7, 8, 9, 4, 5]
    assert model.fed == [(1, 1), (1, 1), (1, 0), (1, 1), (1, 1)]
    assert model.following(0) == []


def test_a_token_that_one_of_the_two_has_no_row_for_is_neither_guessed_nor_fed() -> None:
    model = DraftModel(lambda tokens: [t + 1 for t in tokens], lambda _: None, tokens=3, vocabulary=10)
    model.append(7)
    assert model.following(3) == [8, 9]
    model.append(10)
    assert model.following(3) == []


def test_what_begins_all_prompts_is_kept_by_both() -> None:
    model = a_pair()
    model.ready(DRAFT)
    model.keep_prefix([1, 2, 3], DRAFT)
    session = model.prefill_batch([1, 2, 3, 4], DRAFT, batch=1, prefix=3)
    said = model.decode(session, max_new_tokens=4, ignore_eos=True)
    assert said.tokens == [5, 6, 7, 8]
    assert said.draft_used is not None
    assert (said.draft_used.chunks, said.draft_used.prefix) == ((1,), 3)


def test_other_tokens_are_refused_with_one_of_them() -> None:
    with pytest.raises(RequestError, match="'small' has other tokens: 2 of them, such as 'b'"):
        a_pair(tokens={"a": 0, "c": 1}).ready(DRAFT)


def test_a_cache_that_forgets_is_refused_by_the_name_of_its_model() -> None:
    with pytest.raises(RequestError, match="'small', of type 'counting', has RotatingCache"):
        a_pair(sliding=True).ready(DRAFT)


@pytest.mark.parametrize("key", ["large", "none"])
def test_a_model_that_is_not_beside_it_is_refused(key: str) -> None:
    with pytest.raises(RequestError, match=f"draft = '{key}' is no other model .*name one of: small"):
        a_pair().ready(Cut(draft=key))


def test_it_has_to_be_ready() -> None:
    with pytest.raises(RequestError, match="not ready"):
        a_pair().prefill([1], DRAFT)
    with pytest.raises(RequestError, match="draft looks at the tokens of one request"):
        a_pair().prefill_batch([1], DRAFT, batch=2)


def test_given_tokens_are_not_guessed() -> None:
    """So nothing has to be beside the model."""
    assert Counting().logits([3, 4], DRAFT).shape == (2, VOCABULARY)
    assert Counting().logits_after([3], [4], DRAFT).shape == (1, VOCABULARY)


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ({"kv_bounded": True, "kv_keep": 0.5}, "kv_bounded chooses after every token, but draft feeds"),
        ({"kv_direct": "h0"}, "leave kv_keep, kv_bits, lookup, draft, "),
    ],
)
def test_cuts_that_go_token_by_token_refuse_it(beside: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Cut(draft="small", **beside)
