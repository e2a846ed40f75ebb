"""Where the files are that come with the program. Imports nothing, so that completion is there in a blink."""

from __future__ import annotations

from pathlib import Path

_NOT_SUITES = ("models", "isolate")


def configs_folder() -> Path:
    """The suites and prompt sets that come with the program, from a checkout or an installed wheel."""
    here = Path(__file__).resolve().parents[1]
    return here / "configs" if (here / "configs").is_dir() else here.parent / "configs"


def suite_names() -> list[str]:
    """Suites that can be named without a path, such as `quick` and `published/routing_short`."""
    folder = configs_folder()
    files = sorted(folder.glob("*.toml")) + sorted(folder.glob("published/*.toml"))
    names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    return [name for name in names if name not in _NOT_SUITES]
