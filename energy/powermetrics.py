"""powermetrics, Apple's own meter, as a child process.

    /usr/bin/powermetrics -f plist -b 0 -i 100 -n 864000 --handle-invalid-values
        -s cpu_power,gpu_power,ane_power,thermal

It needs root, so it is started through `sudo -n` and nothing ever hangs on a password. No output flag is
passed: it is `-u` on macOS 11 and `-o` from 12 on. `tasks` is never sampled: process names are arbitrary
bytes. Without a reader the meter ends at its next document, whatever killed the reader, and its own `-n`
ends it after a day in any case; nothing is ever killed by name.

What it measures: Apple's estimate of CPU, GPU and ANE, not the machine. On chips of the M1 family the three
were 0.68-0.92 of Apple's own former package figure, and Apple says that they are not for comparison
between devices.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from energy.base import EnergyError, EnergySource, Kind, SourceInfo, SourceUnavailable, Trace
from energy.cache import keep
from energy.chip import chip_name
from energy.decode import RecordingDecoder
from energy.packing import RAW
from energy.preflight import ENVIRONMENT, check_program, help_text, root_prefix, why_it_ended
from energy.recording import INDEX, NOISE, Header, Recording
from energy.stream import StreamReader
from energy.timeline import trace_of

WITHOUT_RAILS = 3
"""After so many documents that name no rail nothing more is hoped for."""
LONGEST_RUN_S = 86_400
FIRST_DOCUMENT_S = 10.0
SAMPLERS = ("cpu_power", "gpu_power", "ane_power", "thermal")


def _no_arguments(folder: Path) -> list[str]:
    return []


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that speaks powermetrics' command line and stream."""

    name: str
    kind: Kind
    command: tuple[str, ...]
    needs_root: bool
    own_arguments: Callable[[Path], list[str]] = _no_arguments
    """Arguments of a stand-in beyond the common command line, given the run folder."""


def powermetrics(*, interval_ms: int = 100, path: str = "/usr/bin/powermetrics") -> EnergySource:
    """The meter of macOS, as root: CPU, GPU and neural engine, on some systems DRAM.

    Args:
        interval_ms: milliseconds between readings asked for; 103-130 come when 100 are asked, e.g. 100.
        path: absolute path of the program, e.g. "/usr/bin/powermetrics".

    Raises:
        SourceUnavailable: an interval that no meter keeps.
    """
    meter = Program(name="powermetrics", kind="measured", command=(path,), needs_root=True)
    return PowermetricsSource(meter, interval_ms=interval_ms)


def command_line(meter: Program, *, interval_ms: int, help_text: str) -> list[str]:
    """The exact command, without sudo; also what a sudoers line must allow.

    Args:
        meter: the program.
        interval_ms: milliseconds between readings.
        help_text: what `-h` printed. Where it lists samplers without `ane_power` that is not asked for; where
            it lists none, as it may for a user, all are, and the first reading tells whether that is right.
    """
    lists_none = "cpu_power" not in help_text
    samplers = [name for name in SAMPLERS if name != "ane_power" or lists_none or name in help_text]
    count = LONGEST_RUN_S * 1000 // interval_ms
    fixed = ["-f", "plist", "-b", "0", "-i", str(interval_ms), "-n", str(count), "--handle-invalid-values"]
    return [*meter.command, *fixed, "-s", ",".join(samplers)]


def root_command(*, interval_ms: int = 100, path: str = "/usr/bin/powermetrics") -> list[str]:
    """The one command that has to be root: what a sudoers line must allow, to the letter.

    Args:
        interval_ms: milliseconds between readings, e.g. 100.
        path: absolute path of the program.

    Raises:
        SourceUnavailable: the program is not there, or somebody else could have put it there.
    """
    check_program(path)
    meter = Program(name="powermetrics", kind="measured", command=(path,), needs_root=True)
    return command_line(meter, interval_ms=interval_ms, help_text=help_text([path]))


class PowermetricsSource:
    """A running powermetrics, or a stand-in that speaks as it does."""

    def __init__(self, meter: Program, *, interval_ms: int) -> None:
        if not 10 <= interval_ms <= 60_000:
            raise SourceUnavailable(f"interval_ms {interval_ms}: choose 10 to 60000", fix="100 is usual")
        self._meter, self._interval_ms = meter, interval_ms
        self._reader: StreamReader | None = None
        self._decoder: RecordingDecoder | None = None
        self._info = SourceInfo(
            name=meter.name,
            kind=meter.kind,
            rails=("cpu", "gpu", "ane"),
            boundary="soc_cpu_gpu_ane",
            interval_s=interval_ms / 1000,
            resolution_j=0.001,
        )

    @property
    def info(self) -> SourceInfo:
        """What the joules are; after `start` with the rails that this machine prints."""
        return self._info

    def check(self) -> None:
        """Start it, see a first reading and end it: nothing less tells that it may and can be run.

        Raises:
            SourceUnavailable: it can't run here; the message says why and what to type next.
        """
        with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
            self.start(Path(scratch))
            self._end()

    def start(self, folder: Path) -> None:
        """Start the meter and wait for its first document.

        Raises:
            SourceUnavailable: it can't run here; the message says why and what to type next.
        """
        command = self._whole_command(folder)
        chip = chip_name() if self._meter.kind == "measured" else ""
        self._info = replace(
            self._info, details={"command": " ".join(command), **({"chip": chip} if chip else {})}
        )
        before = {name for name in (RAW, INDEX, NOISE) if (folder / name).exists()}
        recording = Recording(folder, Header("plist", self._info))
        try:
            # Made anew for a restart: by then a harness started by sudo has given root up.
            self._folder = folder
            self._reader = StreamReader(self._spawn, recording)
        except OSError as error:
            recording.close()
            _remove_new(folder, before)
            raise SourceUnavailable(f"{command[0]} can't be started: {error}") from error
        self._decoder = RecordingDecoder(folder)
        try:
            self._await_first(command, folder / NOISE)
        except EnergyError:
            self._end()
            _remove_new(folder, before)
            raise

    def go_on_in(self, folder: Path) -> None:
        """The same running meter, its stream from now on in another folder: root is not asked for again.

        Raises:
            EnergyError: it gives no readings any more.
        """
        reader, decoder = self._started()
        recording = Recording(folder, Header("plist", self._info))
        self._folder = folder
        if not reader.go_on_in(recording, timeout_s=FIRST_DOCUMENT_S + 3 * self._info.interval_s):
            recording.close()
            raise EnergyError(f"the meter {self._meter.name} gives no readings any more")
        keep(decoder)
        self._decoder = RecordingDecoder(folder)
        command = self._info.details["command"].split()
        self._await_first(command, folder / NOISE, after_s=time.perf_counter())

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        """Sleep until a reading covers `until_s` and the one after it is in; False if that can't be."""
        reader, _ = self._started()
        deadline_s = time.perf_counter() + timeout_s
        arrived_s = until_s
        while reader.wait_for_document(arrived_s, deadline_s=deadline_s):
            arrived_s = reader.last_arrival_s
            trace = self.trace()
            if len(trace.end_s) > 1 and trace.end_s[-2] - trace.alignment_s >= until_s:
                return True
        return False

    def trace(self) -> Trace:
        """All readings so far, on the harness clock."""
        _, decoder = self._started()
        decoder.update()
        return trace_of(decoder)

    def stop(self) -> None:
        """End the meter and its reader, keep what was decoded. Calling it twice is harmless."""
        self._end()
        if self._decoder is not None:
            keep(self._decoder)

    def _end(self) -> None:
        if self._reader is not None:
            self._reader.stop(grace_s=max(2.0, 5 * self._info.interval_s))

    def _started(self) -> tuple[StreamReader, RecordingDecoder]:
        if self._reader is None or self._decoder is None:
            raise EnergyError(f"{self._meter.name} was not started")
        return self._reader, self._decoder

    def _command(self) -> list[str]:
        if self._meter.needs_root:
            check_program(self._meter.command[0])
        said = help_text(list(self._meter.command))
        command = command_line(self._meter, interval_ms=self._interval_ms, help_text=said)
        prefix = root_prefix(command) if self._meter.needs_root else []
        return [*prefix, *command]

    def _whole_command(self, folder: Path) -> list[str]:
        return [*self._command(), *self._meter.own_arguments(folder)]

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = self._whole_command(self._folder)
        return _spawn(command, self._folder / NOISE, as_root=self._meter.needs_root)

    def _await_first(self, command: list[str], noise: Path, *, after_s: float = 0.0) -> None:
        reader, decoder = self._started()
        deadline_s = time.perf_counter() + FIRST_DOCUMENT_S + 3 * self._info.interval_s
        reason = f"{WITHOUT_RAILS} documents name no rail, as in a virtual machine"
        arrived_s = after_s
        for _ in range(WITHOUT_RAILS):
            if not reader.wait_for_document(arrived_s, deadline_s=deadline_s):
                reason = reader.dead or f"nothing came in {FIRST_DOCUMENT_S:.0f} s"
                break
            arrived_s = reader.last_arrival_s
            decoder.update()
            if decoder.names_rails:
                break
        if not decoder.names_rails:
            raise why_it_ended(reason, noise, command, interval_ms=self._interval_ms)
        self._info = replace(decoder.source, details=self._info.details)


def _spawn(command: list[str], noise: Path, *, as_root: bool) -> subprocess.Popen[bytes]:
    """Start the meter in a process group of its own, so that Ctrl-C reaches the harness alone.

    A harness started by sudo acts as its user and has only its real user id left of root: `as_root` gives
    the meter the rest.
    """
    with noise.open("ab") as stderr:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=ENVIRONMENT,
            cwd="/",
            bufsize=0,
            process_group=0,
            user=0 if as_root and os.getuid() == 0 else None,
        )


def _remove_new(folder: Path, before: set[str]) -> None:
    for name in {RAW, INDEX, NOISE} - before:
        (folder / name).unlink(missing_ok=True)
