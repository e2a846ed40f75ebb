"""The forms in which people keep prompts, read into one.

    .txt            a prompt a line                    .md      the whole file is one prompt
    .jsonl, .json   a record a line, or a list of records (also under "prompts"), each one of

        {"text": "..."} or {"prompt": "..."}           plain
        {"messages": [{"role": "user", "content": "..."}]}        OpenAI
        {"conversations": [{"from": "human", "value": "..."}]}    ShareGPT
        {"turns": ["...", "..."]}                      questions only, as MT-Bench has them: a prompt each

Of a conversation, all that was said up to the last question is the prompt: turn by turn in a chat, a
paragraph a turn as plain text. Between the questions of `turns` stand the answers of the model itself, which
are made before the run (`bench.run.turns`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import UserError
from bench.suite.suite_file import invalid

FORMS = (
    'a record needs "text", "prompt", "messages", "conversations" or "turns"; in a .txt a line is a prompt'
)
_SHOWN = 80
"""Characters of a record that an error shows."""
_TURNS = {"messages": ("role", "content", ("user",)), "conversations": ("from", "value", ("human", "user"))}
"""Of each form of a conversation: the keys of who speaks and of what is said, and who asks."""


_ROLES = {"human": "user", "gpt": "assistant"}
"""Who speaks in ShareGPT's words, in those of chat templates."""


class Turn(BaseModel):
    """What somebody says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = Field(min_length=1, max_length=100)
    """`system`, `user` or `assistant`."""
    content: str


class Prompt(BaseModel):
    """One prompt of a set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=100)
    text: str = Field(min_length=1)
    """As plain text."""
    messages: tuple[Turn, ...] | None = None
    """The turns of a conversation, up to the last question; None for a prompt that is one question."""
    earlier: tuple[str, ...] = ()
    """Questions of the turns before this one, which are still to be answered."""
    reference: str | tuple[str, ...] | None = None
    """The answer, or all accepted answers, where there is one that can be looked for in the output."""
    kind: str | None = None
    tokens: int | None = Field(default=None, ge=1)
    """Use only so many tokens of the text, from the front; it must have as many."""

    @property
    def asked(self) -> str:
        """As plain text without answers, whether they are there or are still to come."""
        if self.messages is not None:
            return as_text([turn for turn in self.messages if turn.role != "assistant"])
        return "\n\n".join((*self.earlier, self.text))


class Chat(BaseModel):
    """How prompts are written as chats, by the template of each model that has one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    demanded: str = ""
    """What of the suite is lost on a model that has no template; empty where plain text will do for it."""
    system: str | None = None
    """A system turn in front of prompts that have none."""
    template: dict[str, Any] = {}
    """Arguments of the template, such as `enable_thinking`."""

    def turns_of(self, prompt: Prompt) -> list[Turn]:
        """The conversation that a prompt is."""
        turns = list(prompt.messages or [Turn(role="user", content=prompt.text)])
        if self.system is not None and turns[0].role != "system":
            return [Turn(role="system", content=self.system), *turns]
        return turns


def read(text: str, *, file: Path) -> tuple[Prompt, ...]:
    """The prompts of a file in the form that its ending says; ids are made where there are none.

    Raises:
        UserError: it holds something else, nothing, or an id twice.
    """
    prompts: dict[str, Prompt] = {}
    for place, record in _records(text, file):
        for prompt in _prompts(record, f"p{len(prompts) + 1}", place):
            if prompt.id in prompts:
                raise UserError(f"{place}: the id {prompt.id!r} is used twice", fix="ids must differ")
            prompts[prompt.id] = prompt
    if not prompts:
        raise UserError(f"{file}: no prompts in it", fix=FORMS)
    return tuple(prompts.values())


def write(prompts: Sequence[Prompt]) -> str:
    """The prompts as JSONL, a record a line."""
    dumped = (prompt.model_dump_json(exclude_none=True, exclude_defaults=True) for prompt in prompts)
    return "".join(f"{one}\n" for one in dumped)


def as_text(turns: Sequence[Turn]) -> str:
    """A conversation as plain text: a paragraph a turn."""
    return "\n\n".join(turn.content for turn in turns if turn.content)


def _records(text: str, file: Path) -> Iterator[tuple[str, Any]]:
    """Every record with the place that an error names."""
    ending = file.suffix.lower()
    if ending == ".md":
        yield f"{file}", text.strip()
        return
    if ending == ".json":
        whole = _json(text, f"{file}")
        listed = whole.get("prompts", [whole]) if isinstance(whole, dict) else whole
        if not isinstance(listed, list):
            raise UserError(f"{file}: no list of prompts but {_shown(listed)}", fix=FORMS)
        yield from ((f"{file}, record {number}", record) for number, record in enumerate(listed, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{file}, line {number}"
            yield place, line.strip() if ending == ".txt" else _json(line, place)


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number too long for Python, too
        why = (
            "nested too deeply"
            if isinstance(error, RecursionError)
            else getattr(error, "msg", "a number too long")
        )
        raise UserError(f"{place}: not JSON ({why}): {_shown(text)}", fix=FORMS) from None


def _prompts(record: Any, made_id: str, place: str) -> list[Prompt]:
    if not (isinstance(record, dict) and "turns" in record):
        return [_prompt(_fields(record, made_id, place), place)]
    turns, name = record["turns"], str(record.get("id", record.get("question_id", made_id)))
    if not (isinstance(turns, list) and turns and all(isinstance(turn, str) and turn for turn in turns)):
        raise UserError(f"{place}: no questions in {_shown(turns)}", fix='"turns" is a list of questions')
    kind = record.get("kind", record.get("category"))
    return [
        _prompt({"id": f"{name}.{n + 1}", "text": turn, "earlier": turns[:n], "kind": kind}, place)
        for n, turn in enumerate(turns)
    ]


def _prompt(fields: dict[str, Any], place: str) -> Prompt:
    try:
        return Prompt.model_validate(fields)
    except ValidationError as error:
        raise invalid(place, error, Prompt) from None


def _fields(record: Any, made_id: str, place: str) -> dict[str, Any]:
    """What a prompt is made from, whichever form its record has."""
    if isinstance(record, str) and record:
        return {"id": made_id, "text": record}
    if not isinstance(record, dict):
        raise UserError(f"{place}: no prompt but {_shown(record)}", fix=FORMS)
    name = str(record.get("id", made_id))
    for form in _TURNS:
        if form in record:
            turns = _asked(record[form], form, place)
            text = as_text(turns)
            if not text:
                raise UserError(f"{place}: the conversation is empty", fix=FORMS)
            more = {key: record.get(key) for key in ("reference", "kind")}
            return {"id": name, "text": text, "messages": turns, **more}
    if isinstance(record.get("prompt"), str) and record["prompt"]:
        return {"id": name, "text": record["prompt"]}
    if "text" not in record:
        raise UserError(f"{place}: the key 'text' is missing in {_shown(record)}", fix=FORMS)
    return {**record, "id": name}


def _asked(turns: Any, form: str, place: str) -> tuple[Turn, ...]:
    """The turns of a conversation up to its last question."""
    who, what, asking = _TURNS[form]
    try:
        said = [(turn[who], turn[what]) for turn in turns]
        last = max(place for place, (speaker, _) in enumerate(said) if speaker in asking)
        return tuple(Turn(role=_ROLES.get(who, who), content=words) for who, words in said[: last + 1])
    except (TypeError, KeyError, ValueError):  # a wrong type of a turn's words is a ValueError too
        fix = f'"{form}" is a list of turns with "{who}" ("{asking[0]}" asks) and "{what}", a text'
        raise UserError(f"{place}: no question in {_shown(turns)}", fix=fix) from None


def _shown(record: Any) -> str:
    """The beginning of a record, on one line."""
    text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
