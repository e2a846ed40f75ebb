"""`pip install joulebench` alone reads, judges and draws stored runs; what is missing is said in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends.installing import pip
from tests.bench.processes import AS_ROOT

ROOT = Path(__file__).resolve().parents[2]


def without_extras(folder: Path, *commands: list[str], **environment: str) -> list[tuple[int, str]]:
    """Of each command: exit code, and what was printed."""
    command = [sys.executable, "-m", "tests.bench.without", str(folder), json.dumps(commands)]
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True, env=env)
    return [(code, said) for code, said in json.loads(done.stdout)]


def test_stored_runs_are_read_judged_and_drawn_without_the_extras(echo_run: Path, tmp_path: Path) -> None:
    run = str(echo_run)
    *outcomes, doctor = without_extras(
        tmp_path,
        ["--help"],
        ["doctor", "--plugins"],
        ["models"],
        ["runs"],
        ["reproduce"],
        ["report", run, "--out", "page"],
        ["compare", f"{run}:echo/ungated", f"{run}:echo/length"],
        ["plot", run, "power", "--out", "power.svg"],
        ["export", run, "--format", "parquet", "--out", "tables"],
        ["collect", run, "--out", "runs.parquet"],
        ["doctor"],
    )
    assert [code for code, _ in outcomes] == [0] * 10, outcomes
    assert doctor[0] in (0, 1), doctor  # 1: no meter can be read here
    assert "pip install 'joulebench[torch]'" in doctor[1]
    for made in ("page/report.html", "power.svg", "tables/windows.parquet", "runs.parquet"):
        assert (tmp_path / made).stat().st_size > 0


def test_a_missing_extra_is_named_with_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the line is for the folder that the command is typed in
    outcomes = without_extras(
        tmp_path,
        ["run", "quick", *AS_ROOT],
        ["run", "quick", "--backend", "mlx", *AS_ROOT],
        ["models", "fetch", "smollm2-135m"],
        ["models", "fetch", "owner/name"],
        JOULEBENCH_CACHE=str(tmp_path / "cache"),
    )
    needs = {
        "backend 'torch' needs torch and transformers": "torch",
        "backend 'mlx' needs mlx and mlx_lm": "mlx",
        "the embedded model needs safetensors and tokenizers": "embedded",
        "a model of the hub needs huggingface_hub": "embedded",
    }
    assert outcomes == [
        (2, f"bench: {missing}, not installed here; type: {pip('install', f'joulebench[{extra}]')}\n")
        for missing, extra in needs.items()
    ]
