"""Following a meter's output while something else is being measured.

The one rule here is to cost nothing. The reader sleeps in `poll` until the meter writes, copies what is
there to disk, stamps it, and sleeps again. In the middle of a document it lets the rest gather for a moment,
because an unbuffered meter writes thousands of pieces. Nothing is decoded, framed or kept in memory: one
buffer is used again and again, for at this rate making and freeing one costs more than all the rest.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable

from energy.framing import BETWEEN_DOCUMENTS, END_OF_DOCUMENT
from energy.plist import MAX_DOCUMENT_BYTES
from energy.recording import Recording, RecordingFailed, Stamp

GATHER_S = 0.002
"""How long the rest of a document may gather; the most by which an arrival is stamped late."""

CHUNK_BYTES = 2**18
TAIL_BYTES = 2 * len(END_OF_DOCUMENT)
RESTARTS = 1
"""A meter that dies is started again once: the slot is lost, the run is not."""


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
        self._waiting = False
        self.dead: str | None = None
        self._failure: RecordingFailed | None = None
        self._next: Recording | None = None
        self._buffer = bytearray(CHUNK_BYTES)
        self.last_arrival_s = -1.0
        """Harness time of the last arrival; -1 before the first."""
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="meter reader", daemon=True)
        self._thread.start()

    def wait_for_document(self, after_s: float, *, deadline_s: float) -> bool:
        """Sleep until a document has arrived later than `after_s`; False at the deadline or on death.

        Raises:
            RecordingFailed: what arrives can't be kept.
        """
        with self._news:
            self._waiting = True
            try:
                while self.last_arrival_s <= after_s:
                    left_s = deadline_s - time.perf_counter()
                    if self._failure is not None:
                        raise self._failure
                    if self.dead is not None or left_s <= 0:
                        return False
                    self._news.wait(left_s)
                return True
            finally:
                self._waiting = False

    def go_on_in(self, recording: Recording, *, timeout_s: float) -> bool:
        """Keep what comes after the next whole document in another recording; False if none comes in time."""
        with self._news:
            self._next = recording
            self._news.wait_for(lambda: self._next is None or self.dead is not None, timeout_s)
            is_done, self._next = self._next is None, None
            return is_done

    def stop(self, *, grace_s: float) -> None:
        """Close the pipe and wait for the meter to notice; end the thread. Twice is harmless."""
        if not self._stopping:
            self._stopping = True
            os.write(self._wake_write, b"x")
            self._thread.join()
            self._end_process(grace_s)
            os.close(self._wake_read)
            os.close(self._wake_write)
            with contextlib.suppress(RecordingFailed):
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
            with contextlib.suppress(RecordingFailed):
                said = f"process {self._process.pid} has not ended after {grace_s} s"
                self._recording.event("lingers", said)
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
        except RecordingFailed as error:
            self._failure = error
            self._die(str(error))
        except Exception as error:  # a meter that can't be started again: said, not lost
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
            os.set_blocking(pipe.fileno(), False)
            poll = select.poll()
            poll.register(pipe, select.POLLIN)
            poll.register(self._wake_read, select.POLLIN)
            unframed_bytes = 0
            while unframed_bytes <= MAX_DOCUMENT_BYTES:
                poll.poll()
                gathered, more = self._gather(pipe.fileno())
                self._recording.append(memoryview(self._buffer)[:gathered], Stamp.now())
                complete = self._buffer.rfind(END_OF_DOCUMENT, 0, gathered) >= 0
                unframed_bytes = 0 if complete else unframed_bytes + gathered
                if self._next is not None and complete:
                    self._go_on(self._buffer[:gathered])
                if complete:
                    self._tell()
                if not more or self._stopping:
                    return None
            return f"{unframed_bytes} bytes without the end of a document"

    def _gather(self, descriptor: int) -> tuple[int, bool]:
        """Read until a document ends or the meter pauses: bytes in the buffer, and whether more can come."""
        room, gathered = memoryview(self._buffer), 0
        while gathered < len(room) and not self._stopping:
            try:
                count = os.readv(descriptor, [room[gathered:]])
            except BlockingIOError:
                return gathered, True
            gathered += count
            if count == 0:
                return gathered, False
            if self._buffer.rfind(END_OF_DOCUMENT, max(0, gathered - TAIL_BYTES), gathered) >= 0:
                return gathered, True
            time.sleep(GATHER_S)
        return gathered, True

    def _go_on(self, gathered: bytearray) -> None:
        """Change the recording, unless the next document has begun."""
        with self._news:
            if self._next is None or not gathered.rstrip(BETWEEN_DOCUMENTS).endswith(END_OF_DOCUMENT):
                return
            self._recording.event("stopped", "goes on in another recording")
            self._recording.close()
            self._recording, self._next = self._next, None
            self._recording.event("started", f"process {self._process.pid}, which goes on")
            self._news.notify_all()

    def _tell(self) -> None:
        """Wake whoever waits. Taking a lock that nobody waits for would be a cost, too."""
        self.last_arrival_s = time.perf_counter()
        if self._waiting:
            with self._news:
                self._news.notify_all()
