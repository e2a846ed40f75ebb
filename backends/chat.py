"""A model's own chat template, rendered to the text that its tokenizer takes.

Templates come with models, so they are not trusted. They run in Jinja's sandbox, which keeps them from
Python's internals and from changing what they are given; what could make a huge text of a small one is
refused. The caller bounds the time.

The rules are those of `apply_chat_template` in transformers, with one exception: a template that asks for
today's date gets `DATE`, so that a prompt is the same tokens every day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, runtime_checkable

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from backends.base import ModelError, RequestError

Turn = Mapping[str, str]
"""`role` and `content`."""

REASONING = ("<think>", "</think>")
"""Tokens between which a model thinks aloud before it answers."""
DATE = date(2024, 7, 26)
"""What templates are told that today is; the default of those of Llama 3."""
MOST_CHARACTERS = 4_000_000
"""Of a text that a template makes on the way or in the end: about a million tokens."""
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"})
"""Methods and filters that make a text of any length of a number."""


@runtime_checkable
class HasChat(Protocol):
    """A backend whose models may be made for chats."""

    @property
    def chat_template(self) -> str | None:
        """The model's own, as Jinja; None where it has none."""

    @property
    def reasoning_ids(self) -> tuple[int, int] | None:
        """The tokens that begin and end thinking aloud; None where the vocabulary has none."""

    def encode_chat(self, turns: Sequence[Turn], arguments: Mapping[str, Any]) -> list[int]:
        """Token ids of a conversation, up to where the model is to answer.

        Args:
            turns: `role` and `content` of each.
            arguments: of the template, such as `enable_thinking`.

        Raises:
            ModelError: there is no template, or it can't be rendered.
            RequestError: the template refuses the conversation.
        """


class _Whole(Extension):
    """`{% generation %}` marks what a model says, for training; here it is passed through."""

    tags = {"generation"}  # noqa: RUF012 - so that Jinja finds it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses what makes a huge text of a small one."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        """What a block, a macro or a loop has made."""
        return _joined(pieces)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """As Jinja has it, without methods that pad a text to any length."""
        pads = isinstance(obj, str | bytes) and attr in _PADDING
        return not pads and bool(super().is_safe_attribute(obj, attr, value))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """A sum of short texts or lists, and products of numbers of a usual size."""
        if operator == "**" or (operator == "%" and isinstance(left, str | bytes)):
            raise SecurityError(f"{operator} may make anything of any length")
        if operator == "*" and not all(_is_usual(value) for value in (left, right)):
            raise SecurityError("* of texts, lists or huge numbers")
        if operator == "+":
            _check_length(sum(len(value) for value in (left, right) if hasattr(value, "__len__")))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As Jinja has it, but the methods that may multiply a text are the filters of that name."""
        of, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
        if isinstance(of, str | bytes) and name in ("replace", "join"):
            return _replaced(of, *args) if name == "replace" else _joined(args[0], of)
        return super().call(context, called, *args, **kwargs)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """With `a ~ b` as a filter of the list of both, which checks the length."""
        tree = super()._parse(source, name, filename)
        for concat in list(tree.find_all(nodes.Concat)):
            both = nodes.List(concat.nodes, lineno=concat.lineno)
            concat.nodes = [nodes.Filter(both, "join", [], [], None, None, lineno=concat.lineno)]
        tree.set_environment(self)
        return tree


def render(template: str, turns: Sequence[Turn], values: Mapping[str, Any]) -> str:
    """The text of a conversation, up to where the model is to answer.

    Args:
        template: Jinja, as a model folder has it.
        turns: what was said so far.
        values: what the template may ask for by name: special tokens, and arguments such as
            `enable_thinking`.

    Raises:
        ModelError: the template is broken, or does what no template needs.
        RequestError: it does not take these turns.
    """
    try:
        compiled = _environment().from_string(template)
        given = {**values, "messages": [dict(turn) for turn in turns], "add_generation_prompt": True}
        pieces, length = [], 0
        for piece in compiled.generate({"tools": None, "documents": None, **given}):
            length += len(piece)
            _check_length(length)
            pieces.append(piece)
    except _TemplateSays as error:
        raise RequestError(f"the chat template refuses the conversation: {error}") from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise ModelError(
            f"the model's chat template can't be rendered ({type(error).__name__}: {error})",
            fix="give the prompts as plain text: --no-chat, or chat = false",
        ) from None
    return "".join(pieces)


def render_own(template: str | None, turns: Sequence[Turn], values: Mapping[str, Any]) -> str:
    """The same by the template of a model that may have none, which is a `ModelError` too."""
    if template is None:
        raise ModelError("the model has no chat template", fix="give the prompts as plain text: --no-chat")
    return render(template, turns, values)


def reasoning_ids(vocabulary: Mapping[str, int]) -> tuple[int, int] | None:
    """The tokens that begin and end thinking aloud; None for a vocabulary that has none."""
    begin, end = (vocabulary.get(token) for token in REASONING)
    return None if begin is None or end is None else (begin, end)


class _TemplateSays(Exception):
    """What a template says of what it does not take."""


def _environment() -> _Sandbox:
    sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[_Whole, loopcontrols])
    for name in (*_PADDING, "indent", "wordwrap", "pprint", "xmlattr", "urlize"):
        sandbox.filters.pop(name, None)
    sandbox.filters |= {"tojson": _to_json, "replace": _replaced, "join": _joined}
    sandbox.globals |= {"raise_exception": _refuse, "strftime_now": DATE.strftime}
    for name in ("lipsum", "cycler", "joiner"):
        sandbox.globals.pop(name, None)
    return sandbox


def _refuse(message: str) -> None:
    raise _TemplateSays(message)


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    """As JSON without the escapes that Jinja's own filter adds for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _joined(values: Iterable[Any], between: Any = "", attribute: str | None = None) -> str:
    texts = [str(value if attribute is None else value[attribute]) for value in values]
    _check_length(sum(map(len, texts)) + len(between) * len(texts))
    return str(between).join(texts)


def _replaced(text: Any, old: str, new: str, count: int = -1) -> str:
    _check_length(len(str(text)) + str(text).count(old) * len(new))
    return str(text).replace(old, new, count)


def _is_usual(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e9


def _check_length(length: int) -> None:
    if length > MOST_CHARACTERS:
        raise SecurityError(f"it makes a text of {length} characters; at most {MOST_CHARACTERS} are taken")
