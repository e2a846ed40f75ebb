"""A disk that is full after so many bytes: the run ends with a line, and goes on once there is room."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.campaign import kills
from benchmarks.campaign.attempt import Outcome, attempt


class Room:
    """Stands in for `os.write`: regular files get so many bytes in all, then the disk is full."""

    def __init__(self, left_bytes: int) -> None:
        self.left_bytes = left_bytes
        self._write = os.write

    def write(self, descriptor: int, content: bytes) -> int:
        """A part of it where not all fits, as a disk does; nothing after that."""
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return self._write(descriptor, content)
        fits = min(self.left_bytes, len(content))
        if content and not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left_bytes -= fits
        return self._write(descriptor, content[:fits])


@contextmanager
def room_for(count: int) -> Iterator[Room]:
    """For as long as this lasts this process can write so many bytes into files."""
    room = Room(count)
    with patch.object(os, "write", room.write):
        yield room


def one(work: Path, *, seed: int, bytes_free: int) -> tuple[str, list[str]]:
    """A run that meets a full disk: how it ended, and what is wrong with it once it was resumed."""
    kills.write_suite(work, has_self_test=False)
    bad = []
    with room_for(bytes_free):
        ended = _run(work, ["suite.toml"])
    if ended.is_bad:
        bad.append(f"with {bytes_free} bytes free: {ended.kind}: {ended.detail}")
    for _ in range(3):
        folder = kills.run_folder(work)
        found = None if folder is None else kills.whole(folder)
        if folder is not None and found is not None:
            return ended.kind, bad + kills.looked_at(folder, found)
        again = _run(work, ["--resume", str(folder)] if folder else ["suite.toml"])
        if again.kind != "done":
            bad.append(f"with {bytes_free} bytes free, then resumed: {again.kind}: {again.detail}")
    return ended.kind, [*bad, f"with {bytes_free} bytes free: not whole after three sessions"]


def _run(work: Path, arguments: list[str]) -> Outcome:
    allowed = ["--allow-root"] if os.geteuid() == 0 else []
    return attempt(["run", *arguments, "--quiet", *allowed], cwd=work, outside=work / "none", limit_s=60.0)
