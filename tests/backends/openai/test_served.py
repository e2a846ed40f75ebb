"""A model in a server, by stand-ins: what is sent, what is made of the answer, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from backends.about import about_of
from backends.base import ModelError, RequestError
from backends.cut import Cut
from backends.openai.load import load
from tests.servers import StandIn, stand_in

Server = tuple[StandIn, str]


@pytest.fixture
def server() -> Iterator[Server]:
    with stand_in() as made:
        yield made


def answer(model: Any, *, batch: int = 1, ignore_eos: bool = True, chat: bool = False) -> Any:
    ids = model.encode_chat([{"role": "user", "content": "hello"}], {}) if chat else model.encode("hello")
    sent = model.ask(ids, max_new_tokens=8, ignore_eos=ignore_eos, batch=batch, first=lambda: None)
    return model.read(sent)


def test_an_answer_is_counted_and_its_text_kept(server: Server) -> None:
    told, url = server
    model = load(url=url, model="tiny")
    reply = answer(model)
    assert (reply.rows, len(reply.tokens), reply.text) == (
        [(7, 8)],
        8,
        "a server says these words again and again ",
    )
    assert model.decode_text(reply.tokens) == reply.text
    body = told.asked[-1]
    assert (body["path"], body["model"], body["temperature"], body["max_tokens"]) == (
        "/v1/completions",
        "tiny",
        0,
        8,
    )
    assert body["stream_options"] == {"include_usage": True}
    assert "Authorization" not in body["headers"]
    assert body["headers"]["Host"] in url


def test_no_prompt_begins_like_another_unless_caches_are_wanted(server: Server) -> None:
    told, url = server
    fresh = load(url=url, model="tiny")
    for _ in range(3):
        answer(fresh)
    assert len({body["prompt"] for body in told.asked[-3:]}) == 3
    assert all(body["prompt"].endswith(" hello") for body in told.asked[-3:])
    answer(fresh, chat=True)
    assert told.asked[-1]["messages"][0]["content"] != "hello"
    cached = load(url=url, model="tiny", prompt_cache=True)
    answer(cached)
    assert told.asked[-1]["prompt"] == "hello"
    assert cached.info.settings["prompt_cache"] == 1


@pytest.mark.parametrize("knows", [True, False])
def test_whether_a_server_goes_on_beyond_the_end_is_found_once(server: Server, knows: bool) -> None:
    told, url = server
    told.ends_after, told.knows_ignore_eos = 3, knows
    model = load(url=url, model="tiny")
    assert model.info.settings["ignore_eos"] == int(knows)
    assert len(answer(model).tokens) == (8 if knows else 3)
    assert ("ignore_eos" in told.asked[-1]) == knows


def test_a_server_that_takes_no_chats_gets_plain_text(server: Server) -> None:
    told, url = server
    told.has_chat = False
    assert load(url=url, model="tiny").chat_template is None


def test_a_server_that_refuses_what_it_does_not_know_is_not_asked_for_it(server: Server) -> None:
    told, url = server
    told.strict = True
    answer(load(url=url, model="tiny"))
    assert "cache_prompt" not in told.asked[-1]


def test_requests_run_at_a_time(server: Server) -> None:
    told, url = server
    told.delay_s = 0.1
    assert answer(load(url=url, model="tiny"), batch=4).rows == [(7, 8)] * 4
    assert told.most_at_once == 4
    told.most_at_once = 0
    answer(load(url=url, model="tiny", concurrency=2), batch=4)
    assert told.most_at_once == 2


@pytest.mark.parametrize(
    ("beside", "loaded"),
    [
        ({"/api/ps": {"models": [{"name": "tiny:latest"}]}}, 1),
        ({"/api/ps": {"models": []}}, 0),
        ({"/v1/api/ps": {}, "/api/v0/models": {"data": [{"id": "tiny", "state": "not-loaded"}]}}, 0),
        ({}, None),
    ],
)
def test_whether_the_model_was_loaded_is_noted(
    server: Server, beside: dict[str, Any], loaded: int | None
) -> None:
    told, url = server
    told.beside = beside
    assert load(url=url, model="tiny").info.settings.get("loaded_before") == loaded


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"breaks_after": 2}, "broke off after 2 pieces"),
        ({"garbage": True}, "'<html>no json</html>', which is no event"),
        ({"wrong_count": 8}, "counted 16 generated tokens, but 8"),
        ({"wrong_count": -3}, "counted 5 generated tokens, but 8"),
        ({"usage": False}, "usage is missing"),
        ({"status": 500}, r"refuses \(500\)"),
        ({"status": 401}, "asks for a key"),
    ],
)
def test_a_server_that_goes_bad_is_named(server: Server, fault: dict[str, Any], said: str) -> None:
    told, url = server
    model = load(url=url, model="tiny")
    vars(told).update(fault)
    with pytest.raises(RequestError, match=said):
        answer(model)


def test_a_server_that_is_gone_is_named() -> None:
    with stand_in() as (_, url):
        model = load(url=url, model="tiny")
    with pytest.raises(RequestError, match="is not there"):
        answer(model)
    with pytest.raises(RequestError, match="is not there"):
        load(url=url, model="tiny")


def test_a_redirect_is_not_followed(server: Server) -> None:
    told, url = server
    with stand_in() as (other, elsewhere):
        told.redirect = f"{elsewhere}/completions"
        with pytest.raises(RequestError, match="not followed"):
            load(url=url, model="tiny")
        assert other.asked == []


def test_tokens_are_timed_one_by_one(server: Server) -> None:
    model = load(url=server[1], model="tiny")
    heard: list[int] = []
    session = model.prefill(model.encode("hello"))
    made = model.decode_watched(session, max_new_tokens=8, ignore_eos=True, after=lambda: heard.append(1))
    assert len(heard) == len(made.tokens) == 8


def test_the_first_bytes_are_told_once(server: Server) -> None:
    model = load(url=server[1], model="tiny")
    heard: list[str] = []
    model.ask(
        model.encode("hello"),
        max_new_tokens=4,
        ignore_eos=True,
        batch=3,
        first=lambda: heard.append(threading.current_thread().name),
    )
    assert len(heard) == 1


def test_what_a_server_can_not_do_is_refused_by_name(server: Server) -> None:
    model = load(url=server[1], model="tiny")
    ids = model.encode("hello")
    with pytest.raises(RequestError, match="can't leave out parts"):
        model.prefill(ids, Cut(kv_keep=0.5))
    for asked in (model.logits, model.score, model.hidden, model.redundancy):
        with pytest.raises(RequestError, match="a server can't"):
            asked(ids)
    assert {"cuts", "logits", "token_ids"} <= set(about_of(load).lacks)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": None}, "no server is named"),
        ({"layers": 2}, "a server runs all layers"),
        ({"concurrency": 2, "rate": 1.0}, "both say when"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load(**({"url": "http://127.0.0.1:1/v1", "model": "tiny"} | options))
