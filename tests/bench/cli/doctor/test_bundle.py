"""What a bundle holds, what it leaves out, and that it is shown before it is written."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bench.cli.doctor import bundle, bundle_meter, bundle_models
from bench.cli.doctor.bundle import BundleStep, collect
from bench.errors import RunFailed, UserError
from energy import machine
from tests.bench.processes import AS_ROOT, bench


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


def rows_and_then(last: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    yield "first", 1
    yield "second", last()


def test_a_step_that_takes_too_long_is_ended_with_what_it_has_and_the_last_has_its_time() -> None:
    late = step("late", lambda: time.sleep(60))
    rows = step("rows", lambda: rows_and_then(lambda: time.sleep(60)))
    found = collect([late, rows, step("after", lambda: 1)], lambda _: None, whole_s=0.4)
    assert (found["late"], found["rows"], found["after"]) == (None, {"first": 1}, 1)
    assert set(found["not_measured"]) == {"late", "rows"}
    assert "not done in 0 s of the" in found["not_measured"]["late"]
    assert set(found["seconds"]) == {"late", "rows", "after"}


def test_no_library_can_catch_the_end_of_a_step() -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                time.sleep(60)

    found = collect([step("one", stubborn)], lambda _: None, whole_s=0.1)
    assert found["one"] is None


def test_a_step_that_fails_in_a_row_keeps_those_before() -> None:
    found = collect([step("rows", lambda: rows_and_then(fails))], lambda _: None)
    assert found["rows"] == {"first": 1}
    assert found["not_measured"] == {"rows": "RunFailed: no such meter; plug one in"}


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


def test_without_a_meter_every_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_meter.sources, "real_meters", lambda: ("ioreport",))
    if machine.is_mac():
        pytest.skip("a Mac may have it")
    with pytest.raises(RunFailed, match="no meter can be read: ioreport: "):
        bundle_meter.meter()


def test_the_models_are_asked_for_by_name_where_they_are_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_models, "locate", lambda *_, **__: None)
    with pytest.raises(UserError, match="smollm2-135m is not here"):
        next(bundle_models.logits())
