"""What `pmset` prints on all sorts of Macs, and when a run asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.run import host
from bench.run.power import Power, changed, of_pmset, slowed
from energy import machine

MAINS = "Now drawing from 'AC Power'\n"
BATTERY = " -InternalBattery-0 (id=1)\t{}; present: true\n"
UPS = " -Back-UPS ES (id=1)\t100%; discharging\n"


@pytest.mark.parametrize(
    ("lines", "mode"),
    [
        (" lowpowermode         0", "automatic"),
        (" lowpowermode         1", "low"),
        (" powermode            0", "automatic"),
        (" powermode            1", "low"),
        (" powermode            2", "high"),
        (" lowpowermode 0\n powermode 2", "high"),
        (" lowpowermode 1\n powermode 0", "low"),
        (" sleep                1", None),
        ("", None),
    ],
)
def test_both_forms_of_the_power_mode_are_read(lines: str, mode: str | None) -> None:
    settings = f"System-wide power settings:\nCurrently in use:\n Sleep On Power Button 1\n{lines}\n"
    assert of_pmset(settings, "").mode == mode


@pytest.mark.parametrize(
    ("supply", "source", "charging"),
    [
        (MAINS, "ac", None),
        (MAINS + BATTERY.format("100%; charged; 0:00 remaining"), "ac", False),
        (MAINS + BATTERY.format("80%; AC attached; not charging"), "ac", False),
        (MAINS + BATTERY.format("61%; charging; 1:10 remaining"), "ac", True),
        (MAINS + BATTERY.format("97%; finishing charge; 0:10 remaining"), "ac", True),
        ("Now drawing from 'Battery Power'\n" + BATTERY.format("61%; discharging"), "battery", False),
        ("Now drawing from 'UPS Power'\n" + UPS, "ups", None),
        ("", None, None),
    ],
)
def test_the_source_and_a_battery_that_charges(
    supply: str, source: str | None, charging: bool | None
) -> None:
    assert of_pmset("", supply) == Power(source=source, charging=charging)


STUB = """#!/bin/sh
if [ "$2" = batt ]; then cat {folder}/supply; else cat {folder}/settings; fi
"""


def test_the_command_is_asked_anew_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "pmset"
    stub.write_text(STUB.format(folder=tmp_path))
    stub.chmod(0o755)
    monkeypatch.setitem(machine.PROGRAMS, "pmset", str(stub))
    monkeypatch.setattr(machine, "here", lambda: machine.Platform("darwin", "arm64"))
    (tmp_path / "supply").write_text(MAINS)
    (tmp_path / "settings").write_text(" powermode 0\n")
    before = host.power()
    (tmp_path / "supply").write_text("Now drawing from 'Battery Power'\n")
    (tmp_path / "settings").write_text(" lowpowermode 1\n")
    assert before == Power(source="ac", mode="automatic")
    assert changed(before, host.power()) == "source battery, was ac, mode low, was automatic"
    stub.unlink()
    assert host.power() == Power()


def test_battery_and_low_power_are_warned_of() -> None:
    assert slowed(Power(source="ac", mode="high")) is None
    assert slowed(Power()) is None
    said = slowed(Power(source="battery", mode="low")) or ""
    assert "on battery power (plug in the charger) and in low power mode" in said
