"""What macOS prints -> facts. The samples are written after the formats; whatever else is printed is None."""

from __future__ import annotations

import sys

import pytest

from bench.cli.doctor.mac_state import (
    MacState,
    backing_up,
    brightness,
    display_sleep_min,
    gpu_answers,
    helpers,
    indexing,
    indexing_percent,
    lid_closed,
    look,
    thermal,
)
from energy import machine

STRANGE = [None, "", "command not found", "{}", "\x00\x1b[31m", "1", "<plist><dict></dict></plist>"]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("com.apple.system.thermalpressurelevel 0", "nominal"),
        ("com.apple.system.thermalpressurelevel 1\n", "moderate"),
        ("com.apple.system.thermalpressurelevel 2", "heavy"),
        ("com.apple.system.thermalpressurelevel 4", "sleeping"),
        ("com.apple.system.thermalpressurelevel 9", None),
        ("com.apple.system.thermalpressurelevel: Failed with code 9", None),
    ],
)
def test_thermal(said: str, state: str | None) -> None:
    assert thermal(said) == state


def test_spotlight() -> None:
    assert indexing("/:\n\tIndexing enabled. ") is True
    assert indexing("/System/Volumes/Data:\n\tIndexing disabled.") is False
    assert indexing("/:\n\tIndexing and searching disabled.") is False
    assert indexing("Error: unable to perform operation.  (-405)") is None


def test_cpu_of_spotlight_is_summed_over_its_processes() -> None:
    said = (
        "  0.0 /sbin/launchd\n"
        " 98.4 /System/Library/Frameworks/CoreServices.framework/Versions/A/Support/mds_stores\n"
        "  1.6 /System/Library/Frameworks/CoreServices.framework/Versions/A/Support/mds\n"
        " 12.5 /Applications/Some App.app/Contents/MacOS/Some App\n"
        " 10.0 /System/Library/Frameworks/CoreServices.framework/Support/mdworker_shared\n"
    )
    assert indexing_percent(said) == pytest.approx(110)
    assert indexing_percent(said.replace(".4", ",4").replace(".6", ",6")) == pytest.approx(110)
    assert indexing_percent("  0.0 /sbin/launchd\n") is None


def test_time_machine() -> None:
    idle = 'Backup session status:\n{\n    ClientID = "com.apple.backupd";\n    Running = 0;\n}'
    assert backing_up(idle) is False
    assert backing_up(idle.replace("Running = 0", "BackupPhase = Copying;\n    Running = 1")) is True


def backlight(value: int) -> str:
    number = "<key>{}</key><integer>{}</integer>"
    levels = "".join(number.format(*pair) for pair in (("min", 0), ("max", 65536), ("value", value)))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><array><dict>'
        f"<key>IODisplayParameters</key><dict><key>brightness</key><dict>{levels}</dict></dict>"
        "</dict></array></plist>"
    )


def test_brightness() -> None:
    assert brightness(backlight(32768)) == 0.5
    assert brightness(backlight(0)) == 0
    assert brightness('<plist version="1.0"><array></array></plist>') is None  # a Mac without a display
    assert brightness('<?xml version="1.0"?><plist version="1.0"><arr') is None  # one that was cut short


@pytest.mark.parametrize("said", STRANGE)
def test_what_is_not_understood_is_unknown(said: str | None) -> None:
    for parser in (thermal, indexing, indexing_percent, helpers, backing_up, brightness):
        assert parser(said) is None
    assert display_sleep_min(said) is None
    assert lid_closed(said) is None


def test_elsewhere_nothing_is_known_and_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "here", lambda: machine.Platform("linux", "x86_64"))
    monkeypatch.setattr(machine, "output", lambda *_, **__: pytest.fail("called"))
    assert look() == MacState()


def test_programs_are_called_by_their_absolute_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(machine, "here", lambda: machine.Platform("darwin", "arm64"))
    monkeypatch.setattr(machine, "output", lambda command, **_: called.append(command))
    assert look() == MacState(app_nap=True)
    assert len(called) == 10
    assert all(command[0].startswith(("/usr/", "/bin/")) for command in called)


@pytest.mark.parametrize(
    ("said", "answer"),
    [("True", True), ("some warning\nFalse", False), ("Traceback", None), (None, None)],
)
def test_the_gpu_is_asked_for_in_a_child(
    said: str | None, answer: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def asked(command: list[str], **_: object) -> str | None:
        commands.append(command)
        return said

    monkeypatch.setattr(machine, "output", asked)
    assert gpu_answers("torch") is answer
    assert commands[0][0] == sys.executable
    assert commands[0][-2:] == ["torch", "gpu_works"]
