"""What a bundle holds, what it leaves out, and that it is shown before it is written."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.cli.doctor import bundle, bundle_meter, bundle_models
from bench.cli.doctor.bundle import BundleStep, collect
from bench.errors import RunFailed, UserError
from bench.run.sources import choose
from bench.run.workers.messages import Load, ModelToLoad
from bench.run.workers.model import ModelWorker
from energy import machine
from tests.backends.mps_like import mps_like
from tests.bench.processes import AS_ROOT, bench
from tests.bench.studies.test_mps_like import OnTheDevice
from tests.tiny_models import save_tiny_llama


def step(name: str, find: Callable[[], Any]) -> BundleStep:
    return BundleStep(name=name, what=name, find=find)


def fails() -> None:
    raise RunFailed("no such meter", fix="plug one in")


def test_a_step_that_fails_is_null_with_the_reason_and_the_others_go_on() -> None:
    said: list[str] = []
    found = collect([step("one", lambda: 1), step("two", fails), step("three", lambda: [3])], said.append)
    assert (found["one"], found["two"], found["three"]) == (1, None, [3])
    assert found["not_measured"] == {"two": "RunFailed: no such meter; plug one in"}
    assert said == ["one", "two", "three"]


def test_a_step_that_takes_too_long_is_ended_and_none_follows() -> None:
    late = step("late", lambda: time.sleep(60))
    found = collect([late, step("after", lambda: 1)], lambda _: None, whole_s=0.2)
    assert (found["late"], found["after"]) == (None, None)
    assert set(found["not_measured"]) == {"late", "after"}
    assert "minutes were over" in found["not_measured"]["late"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"user": f"{getpass.getuser()} in {Path.home()}/x", "figure": 2.5}
    monkeypatch.setattr(bundle, "steps", lambda: [step("one", lambda: told), step("two", fails)])


@pytest.mark.usefixtures("quick")
def test_all_that_is_written_was_shown_and_names_nobody(tmp_path: Path) -> None:
    done = bench("doctor", "--bundle", "mine.json", "--yes", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "mine.json").read_text()
    assert written in done.stdout
    found = json.loads(written)
    assert found["one"] == {"user": "<name> in <path>", "figure": 2.5}
    assert found["not_measured"] == {"two": "RunFailed: no such meter; plug one in"}


@pytest.mark.usefixtures("quick")
def test_nothing_is_written_where_nobody_agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = bench("doctor", "--bundle", "mine.json", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert "add --yes" in done.stderr
    (tmp_path / "mine.json").write_text("older")
    done = bench("doctor", "--bundle", "mine.json", "--yes", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (tmp_path / "mine.json").read_text() == "older"


def test_every_step_is_named_and_told() -> None:
    names = [one.name for one in bundle.steps()]
    assert names[:4] == ["machine", "findings", "power", "sleep"]
    assert set(names) >= {"powermetrics_help", "meter", "ioreport", "logits", "cuts", "stream"}


def test_a_meter_is_watched_from_its_start_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_meter, "SELF_TESTS", 1)
    monkeypatch.setattr(bundle_meter, "IDLES", 1)
    monkeypatch.setattr(bundle_meter, "_gpu", lambda: None)
    monkeypatch.setattr(bundle_meter, "SETTLE_S", 0.2)
    monkeypatch.setattr(bundle_meter, "find_lag", lambda *_: None)
    monkeypatch.setattr(bundle_meter, "run_self_test", lambda *_, **__: [])
    chosen = choose("simulated", {"interval_ms": 20})
    found = bundle_meter.watched(chosen, tmp_path, idle_s=0.5, load_s=0.5)
    json.dumps(found)
    assert found["source"] == "simulated"
    assert found["readings"] > 20
    assert 0.01 < found["reading_s"]["median"] < 0.1
    assert found["idle_w"][0] > 0
    assert found["ends_on_closed_pipe"] is True
    assert found["nul"]["documents"] >= found["nul"]["before_next"] > 20
    assert [one["outcome"] for one in found["self_tests"]] == ["failed"]  # nothing was measured


def test_without_a_meter_every_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_meter.sources, "real_meters", lambda: ("ioreport",))
    if machine.is_mac():
        pytest.skip("a Mac may have it")
    with pytest.raises(RunFailed, match="no meter can be read: ioreport: "):
        bundle_meter.meter()


def test_cuts_are_compared_with_those_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_tiny_llama(tmp_path / "tiny")

    @contextmanager
    def worker(backend: str, options: dict[str, Any], **_: Any) -> Iterator[ModelWorker]:
        process: Any = OnTheDevice(backend, log=tmp_path / "log")
        load = Load(models={"full": ModelToLoad(folder=folder, options=options)})
        yield ModelWorker(process, process.ask(load, deadline_s=0).loaded)

    monkeypatch.setattr(bundle_models, "_worker", worker)
    monkeypatch.setattr(machine, "is_mac", lambda: True)
    monkeypatch.setattr(bundle_models, "TEXT", "joules and watts")
    few = {name: bundle_models.CUTS[name] for name in ("heavy hitters", "8 bits")}
    monkeypatch.setattr(bundle_models, "CUTS", few)
    with mps_like():
        found = bundle_models.cuts()
    assert found.pop("device") == "mps"
    assert set(found) == set(bundle_models.CUTS)
    for name, far in found.items():
        assert far < (0.1 if "bits" in name else 1e-4), name


def test_the_models_are_asked_for_by_name_where_they_are_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_models, "locate", lambda *_, **__: None)
    with pytest.raises(UserError, match="smollm2-135m is not here"):
        bundle_models.logits()
