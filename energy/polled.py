"""Sources that are asked rather than listened to: a counter of joules, read once an interval.

The readings go to `power.raw` as JSON lines in SI units, `{"elapsed_s": 0.1, "joules": {"cpu": 0.82}}`,
and the moment at which the counter was read is the stamp in `power.index`, so nothing needs aligning.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from energy.base import EnergyError, SourceInfo, Trace
from energy.cache import keep
from energy.decode import RecordingDecoder
from energy.recording import Header, Recording, RecordingFailed, Stamp
from energy.timeline import trace_of

Counters = Mapping[str, float | None]
"""Joules since some beginning, by rail; None where the counter can't be read."""

Moved = Callable[[Counters, Counters], bool]


def _always(before: Counters, after: Counters) -> bool:
    return True


class PolledSource:
    """Reads counters from a thread that sleeps between readings.

    Args:
        info: what the joules are.
        read: reads the counters; raises SourceUnavailable where that can't be.
        moved: whether counters have been published since they were read last. Until they are there is no
            new reading, so readings begin and end where counters move.
    """

    def __init__(self, info: SourceInfo, read: Callable[[], Counters], moved: Moved = _always) -> None:
        self._info, self._read, self._moved = info, read, moved
        self._is_ending = False
        self._awake = threading.Event()
        self._news = threading.Condition()
        self._before_s = self._read_s = -1.0
        self._dead: str | None = None
        self._failure: RecordingFailed | None = None
        self._thread: threading.Thread | None = None
        self._decoder: RecordingDecoder | None = None
        self._poll_s = info.interval_s

    @property
    def info(self) -> SourceInfo:
        """What the joules are."""
        return self._info

    def check(self) -> None:
        """Read the counter once.

        Raises:
            SourceUnavailable: the counter can't be read.
        """
        self._read()

    def start(self, folder: Path) -> None:
        """Begin reading.

        Raises:
            SourceUnavailable: the counter can't be read.
        """
        first, at = self._read(), Stamp.now()
        recording = Recording(folder, Header("readings", self._info))
        recording.event("started", "")
        self._decoder = RecordingDecoder(folder)
        self._thread = threading.Thread(
            target=self._run, args=(recording, first, at), name=f"{self._info.name} reader", daemon=True
        )
        self._thread.start()

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        """Sleep until a reading covers `until_s` and the one after it is in; False if that can't be.

        Raises:
            RecordingFailed: readings can't be kept.
        """
        deadline_s = time.perf_counter() + timeout_s
        with self._news:
            while self._before_s < until_s:
                left_s = deadline_s - time.perf_counter()
                if self._failure is not None:
                    raise self._failure
                if self._dead is not None or left_s <= 0:
                    return False
                self._news.wait(left_s)
            return True

    def read_now(self) -> float:
        """Take a reading at this instant, beside those of every interval; when it was taken.

        A window that begins or ends there cuts no reading. A source that is dead gives its last one.
        """
        asked_s = time.perf_counter()
        self._awake.set()
        with self._news:
            while self._read_s < asked_s and self._dead is None and not self._is_ending:
                self._news.wait(self._poll_s)
            return self._read_s

    def trace(self) -> Trace:
        """All readings so far."""
        if self._decoder is None:
            raise EnergyError(f"{self._info.name} was not started")
        self._decoder.update()
        return trace_of(self._decoder)

    def stop(self) -> None:
        """End the thread and keep what was decoded. Calling it twice is harmless."""
        self._is_ending = True
        self._awake.set()
        if self._thread is not None and self._decoder is not None:
            self._thread.join()
            keep(self._decoder)

    def _run(self, recording: Recording, before: Counters, before_at: Stamp) -> None:
        try:
            while True:
                self._awake.wait(self._poll_s)
                self._awake.clear()
                if self._is_ending:
                    break
                after, at = self._read(), Stamp.now()
                if self._moved(before, after):
                    self._record(recording, before, after, before_at, at)
                    before, before_at = after, at
            recording.event("stopped", "asked to")
        except RecordingFailed as error:
            self._failure = error
            self._die(recording, str(error))
        except Exception as error:  # a counter that vanished: said, not lost
            self._die(recording, f"{type(error).__name__}: {error}")
        finally:
            recording.close()

    def _die(self, recording: Recording, reason: str) -> None:
        with contextlib.suppress(RecordingFailed):
            recording.event("died", reason)  # before it is announced: whoever is woken reads it
        with self._news:
            self._dead = reason
            self._news.notify_all()

    def _record(
        self, recording: Recording, before: Counters, after: Counters, begin: Stamp, end: Stamp
    ) -> None:
        joules = {rail: _difference(before.get(rail), after.get(rail)) for rail in self._info.rails}
        recording.reading(end.harness_s - begin.harness_s, joules, end)
        with self._news:
            self._before_s, self._read_s = self._read_s, end.harness_s
            self._news.notify_all()


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
