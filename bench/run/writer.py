"""One writer a run folder: a lock of the operating system, which its holder's death lets go of."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import UserError

LOCK = "writer.lock"
"""Beside the records while somebody writes them; it holds the number of that process."""


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Be the only process that writes into a run folder.

    Raises:
        UserError: another one does, or the folder can't be written to.
    """
    file = folder / LOCK
    descriptor = _locked(file)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(file: Path) -> int:
    """A descriptor of the file, locked.

    The holder removes the file before it lets go, so a lock on a file that is no longer there is worth
    nothing: then another one stands in its place, and that one is tried.
    """
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise UserError(f"can't write to {file.parent} ({error.strerror})", fix="copy the run") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 20).decode("ascii", errors="replace").strip()
            os.close(descriptor)
            by = f"process {holder}" if holder else "another process"
            raise UserError(
                f"{file.parent} is being written by {by}", fix="wait until it has ended, or end it"
            ) from None
        if _is_the_file(descriptor, file):
            return descriptor
        os.close(descriptor)


def _is_the_file(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    except FileNotFoundError:
        return False
