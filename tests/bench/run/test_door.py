"""A folder that somebody sends: nothing outside it is read or written, and nothing in it is waited for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bench.run import door
from tests.bench.processes import bench

SECRET = "hunter2-do-not-show"


@pytest.fixture
def sent(echo_run: Path, tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return Path(shutil.copytree(echo_run, tmp_path / "results" / echo_run.name))


def commands(run: Path) -> list[list[str]]:
    name = str(run)
    return [
        ["report", name],
        ["compare", name, name],
        ["collect", str(run.parent), "--out", "all.parquet"],
        ["export", name, "--out", "out"],
        ["runs", "--out", str(run.parent)],
        ["plot", name, "savings"],
        ["reproduce", "--run", name],
    ]


def plant(run: Path, what: str, outside: Path) -> None:
    secret = outside / "secret.csv"
    secret.write_text(f"key\n{SECRET}\n")
    match what:
        case "table":
            (run / "isolate.csv").symlink_to(secret)
        case "pipe":
            os.mkfifo(run / "sweep.csv")
        case "records":
            (run / "records.jsonl").unlink()
            (run / "records.jsonl").symlink_to("/dev/zero")
        case "folder":
            (run / "records.jsonl").unlink()
            (run / "records.jsonl").mkdir()
        case "report":
            shutil.rmtree(run / "report", ignore_errors=True)
            (run / "report").symlink_to(outside)
        case "session":
            (run / "session-2").symlink_to(outside)
        case "sparse":
            with (run / "quality.csv").open("wb") as file:
                file.truncate(door.MOST_BYTES + 1)


@pytest.mark.parametrize("what", ["table", "pipe", "records", "folder", "report", "session", "sparse"])
def test_a_folder_with_more_than_plain_files_is_refused_by_every_command(
    sent: Path, tmp_path: Path, what: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    plant(sent, what, outside)
    before = {file.name: file.read_bytes() for file in outside.iterdir()}
    for command in commands(sent):
        done = bench(*command, cwd=tmp_path)
        # a list of runs goes on beside one that can't be read
        assert done.returncode == (0 if command[0] == "runs" else 2), (command, done.stdout, done.stderr)
        assert "a run folder holds none but the plain files" in done.stderr, command
        assert SECRET not in done.stdout + done.stderr
    assert {file.name: file.read_bytes() for file in outside.iterdir()} == before


def test_too_many_files_are_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_FILES", 5)
    for number in range(6):
        (tmp_path / f"{number}").write_text("")
    with pytest.raises(door.UserError, match="more than 5 files"):
        door.enter(tmp_path)


def test_prompts_are_never_read_where_run_json_says_they_were(sent: Path, tmp_path: Path) -> None:
    """An old run kept no prompts; then their texts are unknown, unless the program has them itself."""
    import hashlib
    import json

    header = json.loads((sent / "run.json").read_text())
    theirs = tmp_path / "theirs.txt"
    theirs.write_text(f"{SECRET}\n")
    header["suite"]["path"] = str(tmp_path / "suite.toml")
    header["suite"]["text"] = header["suite"]["text"].replace("prompts.jsonl", "theirs.txt")
    header["prompts"]["sha256"] = hashlib.sha256(theirs.read_bytes()).hexdigest()
    (sent / "run.json").write_text(json.dumps(header))
    (sent / "prompts.jsonl").unlink()
    done = bench("report", str(sent), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert SECRET not in (sent / "report" / "report.html").read_text()
