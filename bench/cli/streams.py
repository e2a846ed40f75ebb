r"""Standard output and error that never end a command: not for a character, not for a reader that has left.

`bench run | head` goes on measuring when `head` has what it wants; under LC_ALL=C an interval is printed as
`\xb1` and not as a traceback. A stream that was closed before the start is opened to nowhere, or else the
next file that is opened would take its number.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NEEDED_FILES = 64
"""Open at a time: a run has some thirty, with libraries and their worker pipes."""
USUAL_FILES = 1024


class LastingOutput(io.FileIO):
    """A descriptor that takes whatever is written, also when nobody reads it any more."""

    lost: str | None = None
    """Why what was written is lost, if it is, though somebody may want it: a full disk."""

    def write(self, content: ReadableBuffer, /) -> int:
        """Write it; where that can't be, drop it."""
        if self.lost is None:
            try:
                return super().write(content) or 0
            except BrokenPipeError:
                self.lost = ""  # whoever left has what he wanted
            except OSError as error:
                self.lost = error.strerror
        return memoryview(content).nbytes


def make_lasting() -> None:
    """From now on standard output and error take everything. Streams that are no files stay what they are."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        _open_if_closed(descriptor)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
    sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)


def lost_output() -> str | None:
    """Why not all of standard output was written, where that is a fault; it is flushed first."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, LastingOutput):
        return None
    sys.stdout.flush()
    return raw.lost or None


def raise_file_limit() -> str | None:
    """Allow as many open files as are needed; returns what is wrong where that can't be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= USUAL_FILES:
        return None
    most = USUAL_FILES if hard == resource.RLIM_INFINITY else min(hard, USUAL_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most >= NEEDED_FILES:
        return None
    return f"only {most} files may be open at a time, and {NEEDED_FILES} are needed; type: ulimit -n 1024"


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def _lasting(stream: TextIO) -> TextIO:
    if type(stream) is not io.TextIOWrapper:
        return stream
    stream.flush()
    raw = LastingOutput(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
