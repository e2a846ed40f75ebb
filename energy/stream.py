"""Following a meter's output while something else is being measured.

The one rule here is to cost nothing. The reader sleeps in `poll` until the meter writes, lets a document
gather for a moment (an unbuffered meter writes it in thousands of pieces), copies what is there to disk,
looks for the end of a document, stamps its arrival, and sleeps again. Nothing is decoded and nothing is
kept in memory but the last few bytes.

The stream is framed on `</plist>`. The NUL that separates documents is written just before the next one,
so framing on it would make every reading an interval late.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable

from energy.plist import MAX_DOCUMENT_BYTES
from energy.recording import Recording, Stamp

END_OF_DOCUMENT = b"</plist>"
GATHER_S = 0.002
"""How long a document may gather before it is read; the most by which an arrival is stamped late."""

CHUNK_BYTES = 2**18
RESTARTS = 1
"""A meter that dies is started again once: the slot is lost, the run is not."""


class Framer:
    """Finds where documents lie in a stream without keeping the stream."""

    def __init__(self, offset: int = 0) -> None:
        self._begin = self._read = offset
        self._tail = b""

    @property
    def unframed_bytes(self) -> int:
        """Bytes since the last complete document."""
        return self._read - self._begin

    def feed(self, chunk: bytes) -> list[tuple[int, int]]:
        """(offset, length) of the documents that end in this chunk."""
        seen = self._tail + chunk
        seen_offset = self._read - len(self._tail)
        self._read += len(chunk)
        found = []
        position = seen.find(END_OF_DOCUMENT)
        while position >= 0:
            end = seen_offset + position + len(END_OF_DOCUMENT)
            found.append((self._begin, end - self._begin))
            self._begin = end
            position = seen.find(END_OF_DOCUMENT, position + len(END_OF_DOCUMENT))
        self._tail = seen[1 - len(END_OF_DOCUMENT) :]
        return found


class StreamReader:
    """Runs a meter, records its stream, and says when documents arrive.

    `spawn` starts the meter with its standard output as a pipe. It is called again when the meter dies.
    """

    def __init__(self, spawn: Callable[[], subprocess.Popen[bytes]], recording: Recording) -> None:
        self._spawn, self._recording = spawn, recording
        self._process = spawn()
        self._recording.event("started", f"process {self._process.pid}")
        self._wake_read, self._wake_write = os.pipe()
        self._stopping = False
        self.dead: str | None = None
        self.documents = 0
        self._arrival_s = -1.0
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="meter reader", daemon=True)
        self._thread.start()

    def wait_for_document(self, after_s: float, *, deadline_s: float) -> bool:
        """Sleep until a document has arrived later than `after_s`; False at the deadline or on death."""
        with self._news:
            while self._arrival_s <= after_s:
                left_s = deadline_s - time.perf_counter()
                if self.dead is not None or left_s <= 0:
                    return False
                self._news.wait(left_s)
            return True

    def last_arrival_s(self) -> float:
        """Harness time of the last arrival; -1 before the first."""
        with self._news:
            return self._arrival_s

    def stop(self, *, grace_s: float) -> None:
        """Close the pipe and wait for the meter to notice; end the thread. Twice is harmless."""
        if not self._stopping:
            self._stopping = True
            os.write(self._wake_write, b"x")
            self._thread.join()
            self._end_process(grace_s)
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._recording.event("stopped", self.dead or "asked to")
            self._recording.close()

    def _end_process(self, grace_s: float) -> None:
        """A meter without a reader ends at its next document. One of our own is told at once.

        A meter that runs as root can't be signalled from here and need not be: its pipe is closed and it
        counts its own samples.
        """
        with contextlib.suppress(PermissionError):
            self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._recording.event("lingers", f"process {self._process.pid} has not ended after {grace_s} s")
            with contextlib.suppress(PermissionError):
                self._process.kill()
                self._process.wait(grace_s)

    def _run(self) -> None:
        try:
            reason = self._follow()
            for _ in range(RESTARTS):
                if self._stopping:
                    return
                self._note_death(reason)
                self._process = self._spawn()
                self._recording.event("restarted", f"process {self._process.pid}")
                reason = self._follow()
            if not self._stopping:
                self._die(self._note_death(reason))
        except Exception as error:  # a full disk, a meter that can't be started again: said, not lost
            self._die(f"{type(error).__name__}: {error}")

    def _note_death(self, reason: str | None) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._end_process(grace_s=1.0)
        reason = reason or f"the meter ended with exit code {self._process.returncode}"
        self._recording.event("died", reason)
        return reason

    def _die(self, reason: str) -> None:
        with self._news:
            self.dead = reason
            self._news.notify_all()

    def _follow(self) -> str | None:
        """Record one process until it ends or is abandoned; the reason, if it is not simply its end."""
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            descriptor = pipe.fileno()
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.register(self._wake_read, select.POLLIN)
            framer = Framer(self._recording.raw_bytes)
            while True:
                poll.poll()
                if self._stopping:
                    return None
                time.sleep(GATHER_S)
                chunk = os.read(descriptor, CHUNK_BYTES)
                if not chunk:
                    return None
                self._record(chunk, framer)
                if framer.unframed_bytes > MAX_DOCUMENT_BYTES:
                    return f"{framer.unframed_bytes} bytes without the end of a document"

    def _record(self, chunk: bytes, framer: Framer) -> None:
        at = Stamp.now()
        found = framer.feed(chunk)
        self._recording.append(chunk)
        for offset, length in found:
            self._recording.document(offset, length, at)
        if found:
            with self._news:
                self.documents += len(found)
                self._arrival_s = at.harness_s
                self._news.notify_all()
