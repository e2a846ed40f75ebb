"""A model in a server: what `Backend` asks for, as far as one can have it through OpenAI's API.

No token ids come out of that API. The ids of a prompt are here the bytes of what a request says of it, as
JSON; those of an answer are made of its pieces of text, which servers send token by token.
"""

from __future__ import annotations

import itertools
import json
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from backends.abilities import Reply
from backends.base import BackendInfo, Generated, RequestError, Session
from backends.chat import Turn
from backends.closed import ClosedModel
from backends.cut import FULL, Cut
from backends.loop import check_batch, check_prompt, open_session
from backends.openai.client import Client, was_loaded
from backends.openai.place import place_of, served_at
from backends.openai.stream import DONE, Streamed, event_of, events, read_stream, words_of
from backends.openai.traffic import Traffic, send_all
from backends.shape import Shape

_BYTES = 256
_PROBE_TOKENS = 32
_CHAT, _TEXT = "/chat/completions", "/completions"
_TEMPLATE = "the server's own, not shown"
_QUESTION = "What is 1 + 1? Answer with one number."
_NUMBERS = range(100_000, 900_000)
"""Where they begin: of six digits, so that each is about as many tokens."""


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """Raw streams of the requests that were sent as one."""

    raw: list[bytes]
    asked: int
    """New tokens of each, at most."""


class ServedModel(ClosedModel):
    """One model of one server; see `backends.base.Backend`."""

    def __init__(self, url: str, model: str, *, traffic: Traffic, prompt_cache: bool) -> None:
        place = place_of(url)
        self._client, self._model, self._traffic = Client(place), model, traffic
        self._prompt_cache = prompt_cache
        self._numbers = itertools.count(_NUMBERS[secrets.randbelow(len(_NUMBERS))])
        self._texts: dict[int, str] = {}
        self._extras: dict[str, Any] = {} if prompt_cache else {"cache_prompt": False}
        self._heeds_ignore_eos: bool | None = None
        loaded = was_loaded(self._client, place, model)
        self.chat_template = self._meet()
        self.reasoning_ids: tuple[int, int] | None = None
        """Not known: what a model thinks aloud is counted with its answer."""
        settings: dict[str, int | float] = {"prompt_cache": int(prompt_cache)}
        known = {"loaded_before": loaded, "ignore_eos": self._heeds_ignore_eos}
        settings |= {name: int(value) for name, value in known.items() if value is not None}
        settings |= traffic.settings
        self.info = BackendInfo(
            backend="openai",
            device="server",
            dtype="as served",
            architecture="not known",
            layers=0,
            parameters=0,
            weight_bytes=0,
            vocabulary=_BYTES,
            context=None,
            cache="the server's",
            versions={},
            settings=settings,
            served=served_at(place),
        )

    def encode(self, text: str) -> list[int]:
        """What a request says of a plain text, in bytes."""
        return list(json.dumps({"prompt": text}).encode())

    def encode_chat(self, turns: Sequence[Turn], arguments: Mapping[str, Any]) -> list[int]:
        """What a request says of a conversation, in bytes; the server writes it by its own template."""
        said: dict[str, Any] = {"messages": [dict(turn) for turn in turns]}
        said |= {"chat_template_kwargs": dict(arguments)} if arguments else {}
        return list(json.dumps(said).encode())

    def decode_text(self, ids: list[int]) -> str:
        """Text of new tokens that this server sent."""
        return "".join(self._texts.get(number, "") for number in ids)

    def ready(self, cut: Cut) -> None:
        """Refuse every cut."""
        if not cut.is_full:
            self._cannot("leave out parts of a model")

    def forget(self) -> None:
        """Nothing was prepared."""

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """Keep a prompt until it is known how many tokens are asked for: nothing is sent."""
        return self.prefill_batch(ids, cut, batch=1)

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int) -> Session:
        """The same, to be sent so many times."""
        check_prompt(ids, self.info)
        check_batch(batch, cut)
        self.ready(cut)
        return Session(prompt_tokens=len(ids), first_token=None, cache=ids, ids=ids, batch=batch)

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Send it, wait for the answer, and read it."""
        return self._decode(session, max_new_tokens, ignore_eos, lambda raw: None)

    def decode_watched(
        self, session: Session, *, max_new_tokens: int, ignore_eos: bool, after: Callable[[], None]
    ) -> Generated:
        """The same, with a call of `after` for each piece of text of the first request."""
        seen, pieces = 0, 0

        def arrived(raw: bytes) -> None:
            nonlocal seen, pieces
            end = raw.rfind(b"\n") + 1
            for data in events(raw[seen:end]):
                if data != DONE and any(map(words_of, event_of(data).choices)):
                    after()
                    pieces += 1
            seen = end

        generated = self._decode(session, max_new_tokens, ignore_eos, arrived)
        if not pieces:  # one token at least, which shows nothing
            after()
        return generated

    def reset_peak_memory(self) -> None:
        """The server's memory is not seen."""

    def peak_memory_bytes(self) -> int | None:
        """Not known."""
        return None

    def ask(
        self, ids: list[int], *, max_new_tokens: int, ignore_eos: bool, batch: int, first: Callable[[], None]
    ) -> _Answers:
        """Send a prompt so many times and wait for all, parsing nothing."""
        heard: list[None] = []

        def arrived(raw: bytes) -> None:
            if not heard and b"data:" in raw:  # before that, some servers send comments
                first()
                heard.append(None)

        return self._send(ids, max_new_tokens, ignore_eos, batch, arrived)

    def read(self, answers: _Answers) -> Reply:
        """What came back, held against its own counts."""
        told = [read_stream(raw, asked=answers.asked) for raw in answers.raw]
        return Reply(
            rows=[(one.prompt_tokens, one.new_tokens) for one in told],
            tokens=self._tokens(told[0]),
            text="".join(told[0].pieces),
        )

    def shape(self, cut: Cut = FULL) -> Shape | None:
        """Not known."""
        self.ready(cut)
        return None

    def synchronize(self) -> None:
        """Nothing is left to do: every request is waited for."""

    def close(self) -> None:
        """The server stays."""

    def _decode(
        self, session: Session, max_new_tokens: int, ignore_eos: bool, arrived: Callable[[bytes], None]
    ) -> Generated:
        ids = open_session(session, max_new_tokens, self.info)
        answers = self._send(ids, max_new_tokens, ignore_eos, session.batch, arrived)
        told = [read_stream(raw, asked=max_new_tokens) for raw in answers.raw]
        tokens = self._tokens(told[0])
        return Generated(tokens=tokens, forwards=len(tokens) - 1, batch=session.batch)

    def _send(
        self,
        ids: list[int],
        max_new_tokens: int,
        ignore_eos: bool,
        batch: int,
        arrived: Callable[[bytes], None],
    ) -> _Answers:
        """`arrived` hears of the first request alone."""
        said = json.loads(bytes(ids))
        requests = [self._request(said, max_new_tokens, ignore_eos=ignore_eos) for _ in range(batch)]

        def send(number: int) -> bytes:
            listener = arrived if number == 0 else lambda raw: None
            return self._client.stream(*requests[number], arrived=listener)

        return _Answers(raw=send_all(send, batch, self._traffic), asked=max_new_tokens)

    def _request(
        self, said: Mapping[str, Any], max_new_tokens: int, *, ignore_eos: bool
    ) -> tuple[str, dict[str, Any]]:
        """Path and body; no seed, as greedy decoding draws nothing, and mlx_lm.server runs those alone."""
        body = {
            "model": self._model,
            "max_tokens": max_new_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._extras,
            **(said if self._prompt_cache else _numbered(said, next(self._numbers))),
        }
        body |= {"ignore_eos": True} if ignore_eos and self._heeds_ignore_eos is not False else {}
        return _CHAT if "messages" in said else _TEXT, body

    def _tokens(self, told: Streamed) -> list[int]:
        """One for each that was counted; of those that show nothing it is not known where they stand."""
        tokens = [zlib.crc32(piece.encode()) for piece in told.pieces]
        self._texts |= dict(zip(tokens, told.pieces, strict=True))
        return tokens + [0] * (told.new_tokens - len(tokens))

    # Meeting the server ----------------------------------------------------------------------------

    def _meet(self) -> str | None:
        """Find out what the server knows; returns what stands for its chat template, if it takes chats."""
        turns = self.encode_chat([{"role": "user", "content": _QUESTION}], {})
        if self._knows(turns):
            return _TEMPLATE
        self._probe(self.encode(_QUESTION), ignore_eos=False)  # says what is wrong, if this fails too
        self._knows(self.encode(_QUESTION))
        return None

    def _knows(self, ids: list[int]) -> bool:
        """Whether it answers such a request; and does it go on beyond the end where it is told to?"""
        try:
            usual = self._probe(ids, ignore_eos=False)
        except RequestError:
            self._extras, given = {}, self._extras  # some servers refuse what they don't know
            try:
                usual = self._probe(ids, ignore_eos=False)
            except RequestError:
                self._extras = given
                return False
        try:
            longer = self._probe(ids, ignore_eos=True)
        except RequestError:
            self._heeds_ignore_eos = False
            return True
        if usual.new_tokens < _PROBE_TOKENS:
            self._heeds_ignore_eos = longer.new_tokens > usual.new_tokens
        return True

    def _probe(self, ids: list[int], *, ignore_eos: bool) -> Streamed:
        """A short answer, of a server that may be loading its model."""
        path, body = self._request(json.loads(bytes(ids)), _PROBE_TOKENS, ignore_eos=ignore_eos)
        return read_stream(self._client.stream(path, body, arrived=lambda raw: None), asked=_PROBE_TOKENS)

    def _cannot(self, what: str) -> NoReturn:
        raise RequestError(f"a server can't {what}", fix="use torch or mlx for that")


def _numbered(said: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The same behind a number that no request had before, so that no cache has the beginning of it."""
    mark = f"{str(number)[::-1]} "  # what differs from the last number stands first
    if "prompt" in said:
        return {**said, "prompt": mark + said["prompt"]}
    turn, *others = said["messages"]
    return {**said, "messages": [{**turn, "content": mark + turn["content"]}, *others]}
