"""What the command `bench` calls first: signals are known from here on, before anything heavy is imported.

A hang-up and a request to terminate end a command as Ctrl-C does: what is measured is kept, and no process
is left.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_USER, EXIT_INTERRUPTED = 2, 130


def main() -> None:
    """Run the command line."""
    try:
        with ending_as_ctrl_c():
            _prepare()
            from bench.cli import app

            app.main()
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


def _prepare() -> None:
    """Streams that last, and enough open files for what follows."""
    from bench.cli import streams

    streams.make_lasting()
    too_few = streams.raise_file_limit()
    if too_few is not None:
        print(f"bench: {too_few}", file=sys.stderr)
        sys.exit(EXIT_USER)


@contextmanager
def ending_as_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP do what SIGINT does, unless they were to be ignored, as under nohup."""
    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
