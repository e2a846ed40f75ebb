"""Models on the command line become the suite that does the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UserError
from bench.suite.from_models import ModelsAsked, are_models, suite_of
from bench.suite.prepare import resolve
from bench.suite.prompts import prompts_of
from bench.suite.suite_file import parse_suite


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_model_is_the_baseline_and_the_others_stand_beside_it(here: Path) -> None:
    (here / "a" / "m-4bit").mkdir(parents=True)
    (here / "b" / "m-4bit").mkdir(parents=True)
    asked = ModelsAsked(models=("echo", "a/m-4bit", "b/m-4bit"), backends=("echo",), dtype="float32")
    suite, text = suite_of(asked)
    assert suite.baseline == "echo"
    assert list(suite.gates) == ["echo", "m-4bit", "m-4bit-2"]
    assert suite.models["m-4bit-2"].name == str(here / "b" / "m-4bit")
    assert parse_suite(text, file=here / "x.toml") == suite


def test_a_model_without_weights_runs_on_the_stand_in() -> None:
    suite, text = suite_of(ModelsAsked(models=("echo",)))
    assert suite.backends == ("echo",)
    assert [arm.label for arm in resolve(suite, text, file=Path("x.toml")).arms] == [
        "echo echo",
        "echo echo (A/A)",
    ]


def test_prompts_of_a_file_are_found_from_anywhere(here: Path) -> None:
    (here / "my.txt").write_text("one\ntwo\n")
    suite, _ = suite_of(ModelsAsked(models=("echo",), prompts="my.txt", new_tokens=3))
    assert suite.prompts.file == str(here / "my.txt")
    assert suite.generation.max_new_tokens == 3


def test_a_synthetic_prompt_is_always_the_same_and_long_enough() -> None:
    suite, _ = suite_of(ModelsAsked(models=("echo",), prompt_tokens=512))
    first, again = (prompts_of(suite.prompts, beside=Path()) for _ in range(2))
    assert first == again
    (prompt,) = first.prompts
    assert (prompt.id, prompt.tokens) == ("pp512", 512)
    assert len(prompt.text.split()) > 512


def test_a_chunk_of_the_prompt_is_of_every_backend_or_refused_by_the_one_that_has_none() -> None:
    suite, text = suite_of(ModelsAsked(models=("echo",), backends=("torch", "mlx"), prefill_chunk=64))
    assert suite.backend_options == {name: {"prefill_chunk": 64} for name in ("torch", "mlx")}
    assert parse_suite(text, file=Path("x.toml")) == suite
    suite, text = suite_of(ModelsAsked(models=("echo",), prefill_chunk=64))
    with pytest.raises(UserError, match="'echo' has no option 'prefill_chunk'"):
        resolve(suite, text, file=Path("x.toml"))


def test_two_sources_of_prompts_contradict_each_other() -> None:
    with pytest.raises(UserError, match="--prompts and --pp"):
        suite_of(ModelsAsked(models=("echo",), prompts="mixed", prompt_tokens=4))


def test_what_is_a_suite_and_what_a_model(here: Path) -> None:
    (here / "folder").mkdir()
    assert are_models(["echo", "folder", "owner/name"])
    assert not are_models(["quick"])
    assert not are_models(["some.toml"])
    for names, said in [
        (["echo", "quick"], "a suite beside models"),
        (["quick", "my.toml"], "2 suites"),
        (["qick"], "did you mean 'quick'"),
    ]:
        with pytest.raises(UserError, match=said):
            are_models(names)


def test_a_file_of_weights_runs_on_the_backend_that_reads_it(here: Path) -> None:
    (here / "m.gguf").touch()
    (here / "folder").mkdir()
    (here / "folder" / "m.gguf").touch()
    for name, label in (("m.gguf", "m.gguf"), ("folder", "folder"), ("owner/name:m.gguf", "name-m.gguf")):
        assert are_models([name])
        suite, _ = suite_of(ModelsAsked(models=(name,)))
        assert suite.backends == ("llama_cpp",)
        assert suite.baseline == label
    assert suite_of(ModelsAsked(models=("m.gguf",)))[0].models["m.gguf"].name == str(here / "m.gguf")


def test_what_a_backend_does_not_read_is_refused_by_name(here: Path) -> None:
    (here / "m.gguf").touch()
    suite, text = suite_of(ModelsAsked(models=("m.gguf",), backends=("llama_cpp", "torch")))
    with pytest.raises(UserError, match=r"m\.gguf is no \*\.safetensors"):
        resolve(suite, text, file=here / "x.toml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("layers = 2", "'llama_cpp' can't keep only the first layers of a model; use "),
        ("", "'llama_cpp' can't leave parts of a model out; use "),
    ],
)
def test_what_a_backend_can_not_do_is_refused_before_anything_is_loaded(
    here: Path, changes: str, said: str
) -> None:
    text = f"""
        name = "x"
        backends = ["llama_cpp"]
        prompts = {{ file = "short_questions" }}
        [models.full]
        name = "smollm2-135m"
        {changes}
        [gates.ungated]
        [gates.cut]
        plugin = "constant"
        budget = {{ cut = {{ kv_keep = 0.5 }} }}
    """
    if changes:
        text = text.replace("cut = { kv_keep = 0.5 }", "max_new_tokens = 2")
    with pytest.raises(UserError, match=said):
        resolve(parse_suite(text, file=here / "x.toml"), text, file=here / "x.toml")
