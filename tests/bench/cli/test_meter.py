"""`bench meter`, as a user types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.cli.meter_tables import MOST_FAULTS
from energy import selftest
from energy.lab.documents import SHAPES, Told, document
from tests.bench.processes import AS_ROOT, bench


def meter(*arguments: str, cwd: Path) -> str:
    done = bench("meter", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_recording_replays_to_the_joules_that_were_recorded(tmp_path: Path) -> None:
    recorded = meter("record", "kept", "--energy", "simulated", "--seconds", "2", *AS_ROOT, cwd=tmp_path)
    replayed = meter("replay", "kept", cwd=tmp_path)
    rows = [line for line in recorded.splitlines() if line.startswith("│")]
    assert len(rows) == 4  # three rails and their total
    assert [line for line in replayed.splitlines() if line.startswith("│")] == rows
    assert "replayed" in replayed
    assert "soc_cpu_gpu_ane" in replayed
    bare = meter("replay", "kept/power.raw", cwd=tmp_path)
    assert [line for line in bare.splitlines() if line.startswith("│")] == rows


def test_a_replay_says_what_went_wrong_when_and_how_often(tmp_path: Path) -> None:
    told = [
        Told(
            elapsed_ns=2_000_000_000,
            label_s=1_700_000_000.5 + 2 * number,
            energies_mj={"cpu": -90 if number in range(14, 28, 2) else 90, "gpu": 30, "ane": 0},
        )
        for number in range(30)
    ]
    documents = [document(one, SHAPES["m1"]) for one in told]
    documents[5] = documents[5][:300] + b"\n"
    (tmp_path / "saved.plist").write_bytes(b"\0".join(documents))
    said = meter("replay", "saved.plist", cwd=tmp_path).splitlines()
    assert "unreadable documents: 1, skipped" in said
    (unreadable,) = [line for line in said if line.startswith("fault: unreadable document")]
    assert unreadable.startswith("fault: unreadable document, at 10.0 s: document of ")
    impossible = [line for line in said if line.startswith("fault: impossible figure")]
    assert impossible[0] == "fault: impossible figure, at 28.0 s: cpu can't have used -90 mJ"
    assert impossible[MOST_FAULTS:] == ["fault: impossible figure: 7 in all"]
    assert any("1.98" in line and "14 s not measured" in line for line in said)


def test_the_self_test_tells_what_each_rail_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "SETTLE_S", 0.2)
    said = meter("test", "--energy", "simulated", "--seconds", "1.5", *AS_ROOT, cwd=tmp_path)
    assert "simulated" in said
    spin = next(line for line in said.splitlines() if "cpu spin" in line and "cpu  " in line)
    assert "move" in spin
    assert "ok" in spin
    assert re.search(r"^a reading every 1\d\d ms: grade 2 takes windows of about \d+ s$", said, re.MULTILINE)


def test_a_rail_that_does_not_answer_fails_the_self_test(tmp_path: Path) -> None:
    """Modelled with no watts per core: the CPU rail stands still under a CPU spin."""
    from bench.run.workloads import commands
    from energy.modelled import modelled
    from energy.selftest import run_self_test

    source = modelled(idle_w=2.0, watts_per_core=0.0)
    source.start(tmp_path)
    findings = run_self_test(source, {"cpu spin": commands(source.info.kind)["cpu spin"]}, seconds=1.5)
    source.stop()
    assert [(f.load, f.rail, f.passed) for f in findings] == [
        ("cpu spin", "cpu", False),
        ("sleep", "cpu", True),
    ]


def test_watch_ends_and_shows_rails(tmp_path: Path) -> None:
    said = meter("watch", "--energy", "modelled", "--seconds", "1.5", *AS_ROOT, cwd=tmp_path)
    assert "modelled" in said
    assert "cpu" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "nowhere"], "can't be replayed"),
        (["watch", "--energy", "nothing"], "unknown energy source 'nothing'"),
        (["record", ".", "--energy", "modelled"], "is not empty"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "file").write_text("")
    done = bench("meter", *arguments, *(AS_ROOT if arguments[0] != "replay" else []), cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
