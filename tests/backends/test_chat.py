"""A model's own chat template gives what transformers give, and can't reach or exhaust anything."""

from __future__ import annotations

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from backends.base import ModelError, RequestError
from backends.chat import render

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2 < 3 & 'so'?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "  Größer?\n"},
]
CHATML = """{%- for message in messages %}
    {{- '<|im_start|>' ~ message.role + '\n' + message['content'] | trim + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}"""
USUAL = [
    CHATML,
    "{{ bos_token }}{% for m in messages if m.role != 'system' %}[{{ loop.index0 % 2 }}]{{ m.content }}"
    "{% if loop.last %}{% break %}{% endif %}{% endfor %}{{ messages | tojson }}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n * 2 }}"
    "{{ m['content'].replace('2', 'two').split('<')[-1].strip() }}{% endfor %}"
    "{{ messages | map(attribute='role') | join(',') }}{{ messages[1:] | length }}",
    "{% macro say(m) %}{{ m.role.upper() }}: {{ m.content | replace('e', 'E') }}{% endmacro %}"
    "{% for m in messages %}{{ say(m) }}{% generation %}!{% endgeneration %}{% endfor %}",
]


@pytest.mark.parametrize("template", USUAL)
@pytest.mark.parametrize("arguments", [{}, {"enable_thinking": False}])
def test_it_gives_what_transformers_give(template: str, arguments: dict[str, object]) -> None:
    values = {"bos_token": "<s>", **arguments}
    [theirs], _ = render_jinja_template([TURNS], chat_template=template, add_generation_prompt=True, **values)
    assert render(template, TURNS, values) == theirs


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception.__globals__.os }}",
        "{{ strftime_now.__self__.year }}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 9 ** 999999 }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ '%1000000000s' % 'a' }}",
        "{{ '{:1000000000}'.format('a') }}",
        "{{ 'a' | format }}",
        "{% set ns = namespace(s='aa') %}{% for i in range(90) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(90) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(90) %}"
        "{% set ns.s %}{{ ns.s }}{{ ns.s }}{% endset %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(90) %}"
        "{% set ns.s = ns.s.replace('a', ns.s) %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(90) %}"
        "{% set ns.s = ns.s | replace('a', ns.s) %}{% endfor %}",
        "{% set ns = namespace(s='aa') %}{% for i in range(90) %}{% set ns.s = ns.s.join([ns.s, ns.s]) %}"
        "{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}0123456789{% endfor %}{% endfor %}",
        "{% for i in range(99999999) %}{% endfor %}",
        "{{ missing.attribute }}",
        "{% if %}",
        "{% include 'secret' %}",
    ],
)
def test_a_template_can_not_reach_or_exhaust_anything(template: str) -> None:
    with pytest.raises(ModelError, match=r"chat template can't be rendered .*--no-chat"):
        render(template, TURNS, {})


def test_what_a_template_says_of_a_conversation_is_passed_on() -> None:
    with pytest.raises(RequestError, match="refuses the conversation: no system turn"):
        render("{{ raise_exception('no system turn') }}", TURNS, {})


def test_the_date_of_a_template_is_always_the_same() -> None:
    assert render("{{ strftime_now('%d %b %Y') }}", TURNS, {}) == "26 Jul 2024"
