"""Plugins by name; a backend by name and device."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench.errors import UserError
from bench.suite import plugins
from bench.suite.config import Suite
from tests.bench.suites import BASE, changed
from tests.families import save_tiny


def test_a_backend_may_stand_in_a_suite_once_for_each_device() -> None:
    devices = ["torch@mps", "torch@cpu"]
    without = {"backend_options": None}
    assert Suite.model_validate(changed(BASE, {"backends": devices, **without})).backends == tuple(devices)
    with pytest.raises(ValidationError, match=r"names one twice: remove the second, or say where"):
        Suite.model_validate(changed(BASE, {"backends": ["torch", "torch"], **without}))


def test_the_device_behind_a_name_is_an_option_like_another(tmp_path: Path) -> None:
    loaded = plugins.create("backends", "torch@cpu", {"folder": save_tiny("llama", tmp_path)})
    assert loaded.info.device == "cpu"
    options = plugins.all_options("backends", "torch@cpu", {"folder": tmp_path})
    assert options["device"] == "cpu"
    assert plugins.all_options("backends", "torch", {"folder": tmp_path})["device"] == "auto"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("echo@cpu", "backend 'echo@cpu' has no option 'device'"),
        ("torhc@cpu", "unknown backend 'torhc'; did you mean 'torch'"),
    ],
)
def test_a_backend_without_devices_and_a_wrong_name_are_refused(name: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        plugins.check_options("backends", name, ())
    assert str(refused.value).startswith(said)


def test_a_device_that_is_none_is_refused_with_those_there_are(tmp_path: Path) -> None:
    for check in (plugins.check_values, plugins.create):
        with pytest.raises(UserError, match=r"'torch@gpu'.*'auto', 'mps', 'cuda' or 'cpu'"):
            check("backends", "torch@gpu", {"folder": tmp_path})


def test_a_plugin_that_fails_while_it_is_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="broken", value="broken_plugin:factory", group="joulebench.gates")

    def fails(_: EntryPoint) -> None:
        raise TypeError("no such argument")

    monkeypatch.setattr(EntryPoint, "load", fails)
    monkeypatch.setattr(plugins, "find", lambda group, name: point)
    with pytest.raises(UserError, match=r"gate 'broken' fails when it is imported \(TypeError: no such arg"):
        plugins.load("gates", "broken")
