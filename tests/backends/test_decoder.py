"""What a decoder does the same for every library, on one that counts: after n comes n + 1."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends.base import BackendInfo, RequestError
from backends.cut import Cut
from backends.decoder import Decoder
from backends.folder import ModelFolder
from backends.prepared import InCache

VOCABULARY, EOS = 50, 13


class Counting(Decoder):
    """Its cache is the list of tokens that were fed; `sliding` makes a layer forget."""

    STATE = "none"

    def __init__(self, *, sliding: bool = False, chunk: int = 2048) -> None:
        self.sliding, self.freed, self.settled = sliding, 0, 0
        folder = ModelFolder(
            path=Path(),
            config={},
            architecture="counting",
            layers=1,
            vocabulary=VOCABULARY,
            context=20,
            eos_ids=frozenset({EOS}),
        )
        info = BackendInfo(
            backend="counting",
            device="cpu",
            dtype="float32",
            architecture="counting",
            layers=1,
            parameters=0,
            weight_bytes=0,
            vocabulary=VOCABULARY,
            context=20,
            cache="list",
            versions={},
        )
        tokenizer: Any = SimpleNamespace(
            encode=None, decode_text=None, encode_chat=None, chat_template=None, reasoning_ids=None
        )
        arrays: Any = SimpleNamespace(numpy=np.asarray)
        parts: Any = None
        super().__init__(
            "model", folder=folder, tokenizer=tokenizer, info=info, arrays=arrays, parts=parts, chunk=chunk
        )

    def synchronize(self) -> None:
        """Never behind."""

    def reset_peak_memory(self) -> None:
        """It holds nothing."""

    def peak_memory_bytes(self) -> int | None:
        return None

    def _first_token(self, model: Any, rows: list[list[int]], cache: Any, *, start: int) -> Any:
        self._fill(model, rows, cache, start=start)
        return rows[0][-1] + 1

    def _fill(self, model: Any, rows: list[list[int]], cache: Any, *, start: int) -> None:
        assert len(cache) == start
        cache.extend(rows[0])

    def _settle(self, cache: Any, more: list[Any]) -> None:
        self.settled += 1

    def _stepper(self, model: Any, cache: Any, *, start: int, most: int, batch: int) -> Any:
        def step(token: int) -> int:
            cache.append(token)
            return token + 1

        return step

    def _verifier(self, model: Any, cache: Any, *, start: int, most: int) -> Any:
        return lambda tokens: [token + 1 for token in tokens], lambda count: None

    def _fetch(self, tokens: Any) -> list[list[int]]:
        return [list(tokens)]

    def _logits(self, model: Any, ids: list[int]) -> Any:
        return np.eye(VOCABULARY, dtype=np.float32)[np.array(ids) + 1]

    def _logits_at(self, model: Any, cache: Any, token: int, position: int) -> Any:
        assert len(cache) == position
        cache.append(token)
        return self._logits(model, [token])[0]

    def _hidden(self, ids: list[int]) -> Any:
        return self._logits(None, ids)

    def _attention(self, model: Any, look: Any) -> Any:
        return nullcontext()

    def _new_cache(self, cut: Cut) -> Any:
        return []

    def _forgetful(self, cache: Any) -> dict[int, str]:
        return {0: "RotatingCache"} if self.sliding else {}

    def _windows(self, cache: Any) -> list[int | None]:
        return [None]

    def _keep(self, cache: Any, layer: int, index: Any, *, bounded: bool) -> None:
        raise AssertionError("nothing is cut")

    def _store_in_few_bits(self, cache: Any, bits: Any) -> None:
        """As they are."""

    def _as_stored(self, array: Any, bits: int | None, group: int) -> Any:
        raise AssertionError("nothing is cut")

    def _forked(self, cache: Any, batch: int) -> Any:
        return list(cache)

    def _rebuilding(self, model: Any, cache: Any, cut: Cut) -> Any:
        raise AssertionError("nothing is rebuilt")

    def _held(self, cache: Any) -> InCache:
        return InCache(lengths=(len(cache),), bits=None, bytes=None)

    def _free(self) -> None:
        self.freed += 1


def test_a_request_stops_at_the_end_token_unless_that_is_ignored() -> None:
    model = Counting()
    stopped, all_of_them = (
        model.decode(model.prefill([9, 10]), max_new_tokens=5, ignore_eos=ignored)
        for ignored in (False, True)
    )
    assert stopped.tokens == [11, 12, 13]
    assert all_of_them.tokens == [11, 12, 13, 14, 15]
    assert (stopped.forwards, all_of_them.forwards) == (3, 4)  # it looks after 1, 2 and 4 tokens


def test_a_session_is_decoded_once() -> None:
    model = Counting()
    session = model.prefill([1])
    model.decode(session, max_new_tokens=1, ignore_eos=True)
    with pytest.raises(RequestError, match="decoded already"):
        model.decode(session, max_new_tokens=1, ignore_eos=True)


def test_a_lookup_says_the_same() -> None:
    model = Counting()
    said = model.decode(model.prefill([9], Cut(lookup=True)), max_new_tokens=5, ignore_eos=True)
    assert said.tokens == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("cut", [Cut(kv_keep=0.5), Cut(lookup=True)])
def test_layers_that_forget_refuse_what_needs_all_positions(cut: Cut) -> None:
    with pytest.raises(RequestError, match="but 'counting' has RotatingCache"):
        Counting(sliding=True).prefill([1, 2, 3, 4], cut)
    assert Counting(sliding=True).prefill([1, 2, 3, 4]).first_token == 5


def test_an_architecture_that_is_not_known_runs_and_is_not_counted() -> None:
    model = Counting()
    used = model.prefill([1]).used
    assert used is not None
    assert (used.mlp_units, used.weight_bytes) == (None, None)


def test_what_it_scores_is_what_its_logits_say() -> None:
    likely, unlikely = Counting().score([1, 2, 9])
    assert likely == pytest.approx(1 - np.log(np.e + VOCABULARY - 1))
    assert unlikely == pytest.approx(-np.log(np.e + VOCABULARY - 1))


def test_logits_after_a_prompt_go_through_its_cache() -> None:
    assert Counting().logits_after([3, 4], [7, 8]).argmax(axis=1).tolist() == [8, 9]
    with pytest.raises(RequestError, match="21 tokens, but the context is 20"):
        Counting().logits_after([3] * 19, [7, 8])


def test_a_long_prompt_is_fed_in_chunks_and_says_so() -> None:
    backend = Counting(chunk=4)
    session = backend.prefill(list(range(1, 11)))
    assert session.cache == list(range(1, 11))
    assert session.used is not None
    assert session.used.chunks == (4, 4, 2)
    assert backend.settled == 2  # the last one stays queued


def test_lookup_is_refused_for_several_rows() -> None:
    with pytest.raises(RequestError, match="the batch is 2"):
        Counting().prefill_batch([1, 2], Cut(lookup=True), batch=2)
