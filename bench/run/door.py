"""The door through which a run folder is entered: what somebody sends holds plain files and folders only.

A link in it could lead out of it, to a secret that would then stand on a page, or into a folder that a report
would be written to. A pipe or a device would be read for ever. So a folder with one is not read at all.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bench.errors import UserError

MOST_FILES = 10_000
"""In all folders of a run, which has a few dozen."""
MOST_BYTES = 2**28
"""Of a file that is read at once; records of a day have a tenth of it. The raw stream is read in pieces."""
OF_FILES = (".json", ".jsonl", ".raw", ".gz", ".index", ".npz", ".csv", ".toml", ".log", ".truth")
"""How names of a run's files end, and never those of its folders."""
IN_PIECES = ("power.raw", "power.raw.gz", "power.index")


def enter(folder: Path) -> None:
    """Look at everything in a run folder before any of it is opened.

    Raises:
        UserError: it holds a link, a pipe, a device, a folder in a file's place, a file that is too large, or
            too many files.
    """
    seen = 0
    waiting = [os.fspath(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                if seen > MOST_FILES:
                    raise UserError(f"{folder} holds more than {MOST_FILES:,} files", fix=_FIX)
                if entry.is_dir(follow_symlinks=False):
                    if entry.name.endswith(OF_FILES):
                        raise UserError(f"{entry.path} is a folder where a run has a file", fix=_FIX)
                    waiting.append(entry.path)
                else:
                    _check_file(entry)


_FIX = "a run folder holds none but the plain files of its run: take the others out"


def _check_file(entry: os.DirEntry[str]) -> None:
    found = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "no plain file"
        raise UserError(f"{entry.path} is {kind}", fix=_FIX)
    if found.st_size > MOST_BYTES and entry.name not in IN_PIECES:
        raise UserError(f"{entry.path} has {found.st_size:,} bytes, more than {MOST_BYTES:,}", fix=_FIX)
