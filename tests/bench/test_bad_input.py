"""A user's mistake is one line on standard error, exit code 2, and nothing on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.at_hand import quick
from tests.bench.processes import Done, bench, bench_process
from tests.bench.suites import write_suite


def refused(folder: Path, *arguments: str, run: Callable[..., Done] = bench) -> str:
    """Run, check that it was refused in one line and left nothing, and return the line."""
    before = sorted(folder.rglob("*"))
    done = run("run", *arguments, cwd=folder)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("bench: "), done.stderr
    assert len([line for line in lines if line.startswith("bench: ")]) == 1
    assert "Traceback" not in done.stderr
    assert sorted(folder.rglob("*")) == before
    return lines[-1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol__min_windows_s": 3}, "unknown key 'protocol.min_windows_s'; did you mean 'min_window_s'"),
        ({"promts": {"file": "x"}}, "unknown key 'promts'; did you mean 'prompts'"),
        ({"models__full__layer": 3}, "unknown key 'models.full.layer'; did you mean 'layers'"),
        ({"gates__norm_fracton": {}}, "unknown gate 'norm_fracton'; did you mean 'norm_fraction'"),
        ({"gates__length": {"token": 3}}, "has no option 'token'; did you mean 'tokens'"),
        ({"gates": {"length": {"tokens": 3}}}, "no baseline"),
        (
            {
                "gates__copy": {"plugin": "constant", "budget": {"cut": {"lookup": True}}},
                "generation__top_p": 0.9,
            },
            "top_p is a setting of sampling, but decoding is greedy",
        ),
        (
            {"gates__drafted": {"plugin": "constant", "budget": {"cut": {"draft": "smaller"}}}},
            "gate 'drafted' lets tokens be guessed by the model 'smaller', which the suite lacks; "
            "add [models.smaller] (did you mean 'small'",
        ),
        ({"backends": ["ecco"], "backend_options": None}, "did you mean 'echo'"),
        ({"backends": []}, "backends"),
        ({"backends": ["echo", "echo"]}, "twice"),
        ({"backend_options__echo": {"cpu": 1}}, "has no option 'cpu'"),
        ({"backend_options__echo": {"cpu_s_per_token": -1}}, "-1"),
        ({"models__full__name": "smollm"}, "did you mean 'smollm2-135m'"),
        ({"models__small": None}, "add [models.small]"),
        ({"models__full__name": "."}, "config.json"),
        ({"models__full__dtype": "int3"}, "int3"),
        ({"models__full__layers": 99}, "99"),
        ({"prompts__file": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"prompts__limit": 0}, "prompts.limit = 0"),
        ({"protocol__blocks": 0}, "protocol.blocks = 0"),
        ({"protocol__min_window_s": -1}, "protocol.min_window_s = -1"),
        ({"protocol__idle_s": 0}, "protocol.idle_s = 0"),
        ({"generation__max_new_tokens": 0}, "generation.max_new_tokens = 0"),
        ({"generation__max_new_tokens": 4000}, "context"),
        ({"seed": -3}, "seed = -3"),
        ({"name": "a/b"}, "name = 'a/b'"),
        ({"energy": {"source": "powermeter"}}, "did you mean 'powermetrics'"),
        ({"energy": {"source": "modelled", "watts": 3}}, "has no option 'watts'"),
        ({"prompt_lines": []}, "no prompts"),
        ({"prompt_lines": ['{"id": "a", "text": "x"}'] * 2}, "used twice"),
        ({"prompt_lines": [json.dumps({"id": "a", "text": "x" * 3000})]}, "exceeds the context"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write_suite(tmp_path, **changes)
    assert said in refused(tmp_path, "suite.toml", run=quick)


@pytest.mark.parametrize("suite", ["suite.toml", "qick"])
def test_the_command_as_a_process_says_the_same(tmp_path: Path, suite: str) -> None:
    write_suite(tmp_path, promts={"file": "x"})
    assert refused(tmp_path, suite, run=bench_process) == refused(tmp_path, suite)


def test_prompts_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    write_suite(tmp_path)
    (tmp_path / "prompts.jsonl").write_bytes(b'{"id": "a", "text": "\xff"}\n')
    assert "not UTF-8" in refused(tmp_path, "suite.toml")


def test_a_missing_suite_names_those_that_come_along(tmp_path: Path) -> None:
    assert "quick" in refused(tmp_path, "qick")


def test_a_suite_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text("name = ")
    assert "not valid TOML" in refused(tmp_path, "suite.toml")


def test_an_output_folder_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    write_suite(tmp_path)
    (tmp_path / "file").write_text("mine")
    assert "--out" in refused(tmp_path, "suite.toml", "--out", "file/results")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backend", "torch"], "no backend 'torch'"),
        (["--blocks", "0"], "blocks = 0"),
        (["--energy", "simulted"], "did you mean 'simulated'"),
        (["--resume", "nowhere"], "not a run folder"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    write_suite(tmp_path)
    assert said in refused(tmp_path, "suite.toml", *arguments)


def test_powermetrics_that_is_absent_is_refused(tmp_path: Path) -> None:
    write_suite(tmp_path, energy={"source": "powermetrics", "path": "/nowhere/powermetrics"})
    said = refused(tmp_path, "suite.toml")
    assert "/nowhere/powermetrics does not exist" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root to become a user whom sudo asks for a password")
def test_sudo_that_wants_a_password_is_refused_at_once(tmp_path: Path) -> None:
    """Run as a user without rights: `sudo -n` must say no, or be missing, and nothing may hang."""
    from energy.base import SourceUnavailable
    from energy.powermetrics import powermetrics

    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        os.setgid(65534)
        os.setuid(65534)
        try:
            powermetrics(path="/bin/true").check()
        except SourceUnavailable as error:
            os._exit(2 if "root" in str(error) else 3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 2


def test_snapkv_on_a_prompt_shorter_than_its_window_is_refused(tmp_path: Path) -> None:
    cut = {"kv_keep": 0.5, "kv_policy": "snapkv", "snapkv_window": 500}
    gates = {"ungated": {}, "constant": {"budget": {"cut": cut}}}
    write_suite(tmp_path, gates=gates)
    assert "fewer than snapkv_window = 500" in refused(tmp_path, "suite.toml")
