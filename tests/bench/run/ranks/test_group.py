"""Ranks that are lost, and what can't be split: one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bench.run.observed import Answered, Joules, RankWindow
from bench.run.ranks.group import RankedWorker, RankMeter, agree, meter_of_ranks
from bench.run.ranks.joules import summed
from bench.run.workers.messages import Encode, Load, ModelToLoad, Ready, Synchronize
from bench.run.workers.process import WorkerLost
from bench.suite.config import GateConfig, Suite
from bench.suite.libraries import ranks
from bench.suite.prompt_forms import Prompt
from energy.base import SourceInfo
from tests.bench.suites import BASE
from tests.tiny_models import save_tiny_qwen2
from tests.waiting import TIMEOUT_S, wait_for


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_qwen2(tmp_path_factory.mktemp("qwen2"))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[RankedWorker]:
    meter = RankMeter(source="simulated", options={"interval_ms": 10})
    started = RankedWorker("mlx@tensor", ranks=2, folder=tmp_path, meter=meter)
    yield started
    started.stop()


def meter_and_worker(folder: Path) -> tuple[psutil.Process, psutil.Process]:
    """Of the rank whose meter writes into this folder."""
    every = psutil.process_iter(["cmdline"])
    [meter] = [one for one in every if f"{folder}/" in " ".join(one.info["cmdline"] or [])]
    [worker] = [child for child in meter.parent().children() if child != meter]
    return meter, worker


def test_a_killed_meter_voids_a_window_and_a_killed_rank_ends_all(
    worker: RankedWorker, model: Path, tmp_path: Path
) -> None:
    load = Load(models={"full": ModelToLoad(folder=model)}, gates={"ungated": GateConfig(plugin="ungated")})
    assert worker.ask(load, deadline_s=TIMEOUT_S).loaded["full"].settings["ranks"] == 2
    worker.ask(Encode(prompts=[Prompt(id="a", text="two words")]), deadline_s=TIMEOUT_S)
    worker.ask(Ready(gate_model="full"), deadline_s=TIMEOUT_S)
    meter, follower = meter_and_worker(tmp_path / "mlx@tensor-rank1")

    opened = worker.ask(Synchronize(), deadline_s=TIMEOUT_S)
    meter.kill()
    wait_for(lambda: not meter.is_running() or meter.status() == psutil.STATUS_ZOMBIE)
    [window] = worker.elsewhere(opened, worker.ask(Synchronize(), deadline_s=TIMEOUT_S))
    both = summed(joules(5.0), [window])
    assert both.total_j is both.bound_j is None
    assert "rank 1 has no joules" in str(both.withheld)

    follower.kill()
    with pytest.raises(WorkerLost) as lost:
        worker.ask(Synchronize(), deadline_s=TIMEOUT_S)
    assert "rank 1 of mlx@tensor is gone" in str(lost.value)
    assert "signal 9" in str(lost.value)
    assert "\n" not in str(lost.value)
    wait_for(lambda: not psutil.pid_exists(worker.pid))


def joules(total_j: float | None, *, bound_j: float = 0.1) -> Joules:
    return Joules(
        total_j=total_j,
        bound_j=None if total_j is None else bound_j,
        rails_j={"cpu": total_j},
        readings=20,
        kind="simulated",
        boundary="soc_cpu_gpu_ane",
        grade=0,
        grade_name="not measured",
        grade_reasons=[],
        withheld="died" if total_j is None else None,
    )


def test_the_bound_of_a_sum_has_the_skew_in_it() -> None:
    other = RankWindow(
        rank=1, start_s=0.0, end_s=2.0, skew_s=0.01, meter="m", joules=joules(6.0, bound_j=0.2)
    )
    both = summed(joules(4.0), [other])
    assert both.total_j == pytest.approx(10.0)
    assert both.rails_j == {"cpu": pytest.approx(10.0)}
    assert both.bound_j == pytest.approx(0.1 + 0.2 + 2 * 3.0 * 0.01)


def test_ranks_agree_if_all_say_the_same_tokens() -> None:
    stamps = dict.fromkeys(("start_s", "gated_s", "prefilled_s", "end_s"), 0.0)
    one, same, other = (
        Answered(model="full", prompt_tokens=3, tokens=tokens, forwards=1, **stamps)
        for tokens in ([1, 2], [1, 2], [1, 3])
    )
    assert agree([one, same])
    assert not agree([one, same, other])


def test_a_real_meter_sees_every_rank_of_its_machine_and_a_stand_in_only_its_own() -> None:
    suite = Suite.model_validate(BASE | {"energy": {"source": "simulated", "interval_ms": 20}})
    info = SourceInfo(
        name="simulated",
        kind="simulated",
        rails=("cpu",),
        boundary="soc_cpu_gpu_ane",
        interval_s=0.02,
        resolution_j=0.001,
    )
    assert meter_of_ranks(suite, info) == RankMeter(source="simulated", options={"interval_ms": 20})
    assert meter_of_ranks(suite, replace(info, name="modelled", kind="modelled")) == RankMeter(
        source="modelled"
    )
    assert meter_of_ranks(suite, replace(info, name="rapl", kind="measured")) is None


def test_a_name_says_how_many_ranks_there_are() -> None:
    assert ranks("mlx", {}) == 1
    assert ranks("mlx@tensor", {}) == 2
    assert ranks("mlx@pipeline", {"ranks": 3}) == 3
    assert ranks("echo", {}) == 1
