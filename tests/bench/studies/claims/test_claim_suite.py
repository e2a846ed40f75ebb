"""The headline's own suite, run from end to end on stand-ins whose joules are known."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.contrast import Held, judge
from backends.echo import load as echo
from bench.studies.claims.evidence import gather
from bench.studies.claims.reproduce import reproduce
from bench.suite.bundled import configs_folder
from tests.bench.at_hand import WorkerHere, quick
from tests.bench.suites import to_toml

ENERGY = "routing.short.energy"


@pytest.fixture(scope="module")
def run_of_the_claims_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite of the headline on the stand-ins: its gate sends 7 of 10 prompts to a quarter of the layers.

    That is 53 % less work. The stand-in's work is counted and not done, and so much of it that what a request
    costs besides is next to nothing.
    """
    folder = tmp_path_factory.mktemp("claim")
    suite = tomllib.loads((configs_folder() / "published" / "routing_short.toml").read_text())
    suite |= {"backends": ["echo"], "backend_options": {"echo": {"cpu_s_per_token": 0.01}}}
    suite["models"] = {"full": {"name": "echo"}, "small": {"name": "echo", "layers": 2}}
    suite["gates"] = {"ungated": {}, "norm_fraction": {"threshold": 0.3}}
    suite["protocol"] = {"blocks": 5, "min_window_s": 0.06, "idle_s": 0.06, "cool_down_s": 0.0}
    suite["protocol"] |= {
        "self_test_s": 0.0,
        "warm_up_s": 0.02,
        "cool_down_limit_s": 0.0,
        "latency_prompts": 0,
    }
    # next to no idle power: joules follow the work, however long it waits for a busy machine
    suite["energy"] = {"source": "modelled", "idle_w": 0.001, "watts_per_core": 0.2, "interval_ms": 3}
    (folder / "suite.toml").write_text(to_toml(suite))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(echo, "_burn", WorkerHere.count)
        done = quick("run", "suite.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return next((folder / "results").iterdir())


def test_a_suite_whose_small_model_uses_as_much_less_as_claimed_reproduces_the_claim(
    run_of_the_claims_suite: Path,
) -> None:
    (row,) = reproduce([ENERGY], [run_of_the_claims_suite])
    (again,) = row.remeasured
    assert again.integrated.verdict == "reproduced", again.integrated.why
    assert (again.kind, again.blocks) == ("modelled", 5)
    assert "on other models" in (again.note or "")


def test_the_same_work_neither_saves_nor_costs(run_of_the_claims_suite: Path) -> None:
    """Its A/A arm, asked about as if it were a gate: it can't exceed the noise that it is itself."""
    (evidence,) = gather([run_of_the_claims_suite])
    again = "echo (A/A)"
    copies = [replace(slot, arm="echo copy") for slot in evidence.slots if slot.arm == again]
    slots = [*evidence.slots, *copies]
    copy, plain = (Held(slots=slots, arm=arm, plain="echo", again=again) for arm in ("echo copy", "echo"))
    found = judge(copy, plain)
    assert found.verdict in ("equivalent", "inconclusive"), found.reason


def test_two_blocks_of_it_are_not_enough(run_of_the_claims_suite: Path, tmp_path: Path) -> None:
    shorter = tmp_path / "shorter"
    shutil.copytree(run_of_the_claims_suite, shorter)
    lines = (shorter / "records.jsonl").read_text().splitlines(keepends=True)
    early = [line for line in lines if json.loads(line).get("block") in (None, 1, 2)]
    (shorter / "records.jsonl").write_text("".join(early))
    (row,) = reproduce([ENERGY], [shorter])
    (again,) = row.remeasured
    assert again.integrated.change_percent is None
    assert "2 whole blocks are not enough" in again.integrated.why
