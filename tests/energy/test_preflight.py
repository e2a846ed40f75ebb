from pathlib import Path

import pytest

from energy import preflight
from energy.base import SourceUnavailable
from energy.preflight import check_program, help_text, root_prefix


def executable(path: Path, body: str = "#!/bin/sh\necho samplers: ane_power\n") -> Path:
    path.write_text(body)
    path.chmod(0o755)
    return path


def test_a_sound_program_passes(tmp_path: Path):
    program = executable(tmp_path / "meter")
    check_program(str(program))
    assert "ane_power" in help_text([str(program)])


def test_a_relative_path_is_refused():
    with pytest.raises(SourceUnavailable, match="relative"):
        check_program("bin/powermetrics")


def test_a_program_that_anybody_can_rewrite_is_refused(tmp_path: Path):
    program = executable(tmp_path / "meter")
    program.chmod(0o757)
    with pytest.raises(SourceUnavailable, match="chmod o-w"):
        check_program(str(program))


def test_a_program_in_a_folder_that_anybody_can_write_to_is_refused(tmp_path: Path):
    folder = tmp_path / "open"
    folder.mkdir()
    program = executable(folder / "meter")
    folder.chmod(0o777)
    with pytest.raises(SourceUnavailable, match="everybody"):
        check_program(str(program))
    link = tmp_path / "link"
    link.symlink_to(program)
    with pytest.raises(SourceUnavailable, match="everybody"):
        check_program(str(link))


def test_a_file_that_is_not_executable_is_refused(tmp_path: Path):
    program = executable(tmp_path / "meter")
    program.chmod(0o644)
    with pytest.raises(SourceUnavailable, match="executed"):
        check_program(str(program))


def test_root_needs_no_sudo(monkeypatch):
    monkeypatch.setattr(preflight.os, "getuid", lambda: 0)
    assert root_prefix(["/usr/bin/powermetrics"]) == []
