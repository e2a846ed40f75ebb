"""What suites ask for, compared by value."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.report.rows import likeness
from bench.studies.claims.evidence import read_evidence
from bench.suite.asked import Asked, ChatsAsked, asked_of_run
from bench.suite.header import Overrides, PromptsUsed, RunHeader, SuiteFile
from tests.bench.stored import run_header

SUITE = """
name = "one"
backends = ["echo"]
models = { full = { name = "echo" }, small = { name = "echo", layers = 2 } }
prompts = { file = "any" }
[gates.ungated]
"""


def asked(gate: str, *, suite: str = SUITE) -> Asked:
    return asked_of_run(
        run_header(
            prompts=PromptsUsed(file="any", ids=["a", "b"], sha256="c0ffee"),
            suite=SuiteFile(name="s", path="s.toml", sha256="", text=suite + gate),
        )
    )


def test_an_option_that_is_spelled_out_with_its_default_is_the_option_left_out() -> None:
    short = asked("[gates.norm_fraction]")
    long = asked(
        '[gates.norm_fraction]\nthreshold = 0.30\nsmall = { model = "small", cut = { kv_keep = 1 } }'
    )
    assert short == long
    assert short != asked("[gates.norm_fraction]\nthreshold = 0.4")
    assert asked("", suite=SUITE + "[generation]\nignore_eos = true\nmax_new_tokens = 64\n") == asked("")


def test_a_run_that_sizes_its_answers_is_like_no_other() -> None:
    minutes = SUITE + "[protocol]\nminutes = 3\n"
    assert asked("", suite=minutes).generation is None
    assert asked("[generation]\nmax_new_tokens = 64\n", suite=minutes).generation is not None
    headers = [
        run_header(run_id=name, suite=SuiteFile(name="s", path="s.toml", sha256="", text=text))
        for name, text in [("a", minutes), ("b", minutes), ("c", SUITE), ("d", SUITE)]
    ]
    sized, other, stated, same = map(likeness, headers)
    assert sized != other
    assert stated == same


def test_what_differs_is_named_to_the_option() -> None:
    one, other = (
        asked(f"[gates.norm_fraction]\nsmall = {{ cut = {{ kv_keep = {kept} }} }}") for kept in (0.5, 1)
    )
    differing = {
        name: value
        for name, value in one.work("norm_fraction").items()
        if other.work("norm_fraction")[name] != value
    }
    assert differing == {"gate norm_fraction, small.cut.kv_keep": 0.5}


def test_chats_and_plain_text_are_other_work_and_are_not_pooled() -> None:
    def header(*, plain: bool | None, text: str = SUITE) -> RunHeader:
        return run_header(
            overrides=Overrides(plain=plain), suite=SuiteFile(name="s", path="s.toml", sha256="", text=text)
        )

    chats, plain, before_chats = (header(plain=plain) for plain in (False, True, None))
    never = header(plain=False, text=SUITE.replace('"any" }', '"any", chat = false }'))
    told = header(plain=False, text=SUITE.replace('"any" }', '"any", system = "Be brief." }'))
    headers = (chats, plain, before_chats, never, told)
    assert [str(asked_of_run(each).work("ungated")["chats"]) for each in headers] == [
        "by the model's template",
        *["plain text"] * 3,
        "by the model's template, system 'Be brief.'",
    ]
    assert likeness(chats) != likeness(plain) == likeness(before_chats)


def test_it_survives_a_file() -> None:
    value = asked('[gates.kappa]\n[gates.random]\nmatches = "kappa"')
    assert Asked.model_validate_json(value.model_dump_json()) == value


def test_a_suite_that_this_version_cannot_read_says_its_prompts_alone() -> None:
    value = asked("[gates.kappa]", suite=SUITE.replace("backends", "engines"))
    assert value == Asked(prompts=value.prompts, chats=ChatsAsked(chat=False))
    assert str(value.prompts) == "the first 2 of set c0ffee"
    assert value.work("kappa")["gate kappa"] is None


def test_a_gate_that_is_not_installed_keeps_its_options_as_they_are_written() -> None:
    assert asked("[gates.mine]\nstrength = 3").gates["mine"].options == {"strength": 3}


def test_a_data_set_that_says_it_in_words_is_refused_with_what_to_type(tmp_path: Path) -> None:
    file = tmp_path / "old.parquet"
    words = '{"prompts": "the first 6 of set fd7485ec70a2"}'
    slot = {
        "run": "r",
        "block": 1,
        "position": 0,
        "arm": "echo",
        "backend": "echo",
        "gate": "ungated",
    }
    numbers = {
        "requests": 1,
        "prompt_tokens": 1,
        "new_tokens": 1,
        "forwards": 1,
        "seconds_s": 1.0,
        "gross_j": 1.0,
    }
    energy = {"net_j": 1.0, "boundary": "modelled", "kind": "modelled", "grade": 0, "readings": 9}
    row = {"likeness": "a", "asked": words, "baseline": "ungated", **slot, **numbers, **energy}
    pq.write_table(pa.Table.from_pylist([row]), file)
    with pytest.raises(UserError, match=r"of another version.*; make it anew with: bench collect"):
        read_evidence(file)
