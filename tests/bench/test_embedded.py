"""The real model on both backends, end to end."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from bench.run import store
from bench.run.records import RequestRecord, SessionRecord
from bench.suite.bundled import configs_folder
from tests.bench.at_hand import quick
from tests.bench.suites import write_suite

pytestmark = pytest.mark.model

REAL = {
    "backends": ["torch", "mlx"],
    "backend_options": None,
    "prompts": {"file": "prompts.jsonl", "chat": False},
    "prompt_lines": [
        json.dumps({"id": "capital", "text": "Question: what is the capital of France? Answer:"})
    ],
    "generation__max_new_tokens": 4,
    "gates": {"ungated": {}},
    "protocol__min_window_s": 0.1,
    "protocol__warm_up_s": 0.1,
    "protocol__load_deadline_s": 600.0,
    "protocol__request_deadline_s": 600.0,
    "protocol__a_a": False,
    "protocol__latency_prompts": 0,
}


def test_both_backends_generate_the_same_text_and_the_table_says_modelled(
    embedded_model: Path, tmp_path: Path
) -> None:
    write_suite(tmp_path, models={"full": {"name": "smollm2-135m"}}, **REAL)
    done = quick("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch and mlx agree on full" in done.stdout
    assert "NOT a measurement" in done.stdout
    run = store.read(next((tmp_path / "results").iterdir()))
    agreements = run.of(SessionRecord)[0].equal_work
    assert [a.model for a in agreements] == ["full"]
    assert all(a.apart < 1e-5 and a.same_tokens == 1.0 and not a.cause for a in agreements)
    answers = {r.backend: r for r in run.of(RequestRecord) if r.pass_number == 1}
    assert answers["torch"].tokens == answers["mlx"].tokens
    assert answers["torch"].forwards == answers["mlx"].forwards == 3
    assert (answers["torch"].text or "").strip()


def test_a_rope_base_that_the_backends_read_differently_is_refused_with_the_difference(
    embedded_model: Path, tmp_path: Path
) -> None:
    hidden = Path(shutil.copytree(embedded_model, tmp_path / "hidden", ignore=lambda *_: ["config.json"]))
    config = json.loads((embedded_model / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 100000.0
    config["rope_theta"] = 10000.0  # mlx-lm reads this one, transformers the other
    (hidden / "config.json").write_text(json.dumps(config))
    changes = {**REAL, "models": {"full": {"name": str(hidden), "layers": 6}}}
    write_suite(tmp_path / "suite", **changes)
    done = quick("run", "suite.toml", cwd=tmp_path / "suite")
    assert done.returncode == 1
    difference = re.search(r"logits in float32 differ by ([\d.]+) %", done.stderr)
    assert difference is not None
    assert float(difference[1]) > 1
    tolerance = re.search(r"\(tolerance ([\d.]+) %\)", done.stderr)
    assert tolerance is not None
    assert 0.05 < float(tolerance[1]) < float(difference[1])  # measured on the six layers
    assert "several do: positions (rope_theta = 10000.0" in done.stderr
    assert not (tmp_path / "suite" / "results").exists()


def test_the_prepared_folder_states_the_rope_base_in_both_places(embedded_model: Path) -> None:
    config = json.loads((embedded_model / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 100000.0
    assert (embedded_model / "tokenizer.json").is_file()


def test_every_suite_that_comes_along_is_valid() -> None:
    from bench.suite.prepare import prepare

    others = {"models", "isolate", *(f.stem for f in (configs_folder() / "claims").glob("*.toml"))}
    files = [f for f in configs_folder().rglob("*.toml") if f.stem not in others]
    assert len(files) >= 3
    for file in files:
        assert prepare(file).blocks
