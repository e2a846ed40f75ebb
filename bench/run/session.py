"""One session of a run: the meter and the workers that are alive, and what is done with them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import RunFailed
from bench.run import awake, disk, store
from bench.run.display.plain import Display
from bench.run.meter import Meter
from bench.run.minutes import Minutes, sentence
from bench.run.records import (
    BlockRecord,
    EventRecord,
    IdleRecord,
    LatencyRecord,
    RequestRecord,
    SessionRecord,
    SizedRecord,
    SlotRecord,
    VoidSlot,
)
from bench.run.remaining import Remaining
from bench.run.slot import Holder
from bench.run.sources import ChosenMeter
from bench.run.workers.encoding import ids_sha256
from bench.run.workers.group import Workers
from bench.run.workers.process import WorkerLost, WorkerRefused
from bench.suite import cadence, prepare
from bench.suite.plan import Arm, PlannedSlot
from bench.suite.prepare import ONE_PASS_S, Prepared
from bench.suite.sizing import FirstPass

Ask = Callable[[Path], tuple[dict[str, str], bool]]
"""The verdict on each arm of a run folder, by name, and whether no more blocks are needed."""


class RunSession:
    """Use as a context manager: on exit no process is left, whatever happened."""

    def __init__(
        self,
        prepared: Prepared,
        *,
        folder: Path,
        number: int,
        meter: ChosenMeter,
        display: Display,
        ask: Ask | None = None,
        minutes: Minutes | None = None,
        again: frozenset[int] = frozenset(),
    ) -> None:
        self.prepared = prepared
        self.protocol = prepared.suite.protocol
        self._minutes = minutes
        self.number, self.display = number, display
        self.stored = store.read(folder)
        self.folder = self.stored.session_folder(number)
        self.folder.mkdir(exist_ok=True)
        self._before = frozenset(self.stored.finished_blocks) - again
        """Blocks that earlier sessions have finished, but for those that are to be run once more."""
        self._whole = set(self._before)
        self.meter, self.workers = Meter(meter), Workers(prepared, folder=self.folder, display=display)
        self._holder = Holder(
            prepared,
            session=number,
            meter=self.meter,
            workers=self.workers,
            display=display,
            event=self._event,
        )
        self._ask = ask
        self.has_begun = False  # with a record of its own
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.store = store.Store(self.stored.folder)
        self._open.callback(self.store.close)
        self._open.callback(self.workers.stop)
        self._open.callback(self.meter.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.has_begun:
                # on a full disk the first error is told
                with suppress(RunFailed) if error else nullcontext():
                    self._event(*store.ending(kind, error))
        finally:
            self._open.close()

    def how_to_go_on(self) -> str:
        """What to tell somebody when this session ended early."""
        if not self.has_begun:
            return "nothing was measured and nothing is kept"
        return f"what is measured is kept, go on with: bench run --resume {self.stored.folder}"

    # Before the first slot -------------------------------------------------------------------------

    def load(self) -> None:
        """Start the meter, then the workers: loaded, warm, and known to do equal work."""
        self.meter.start(self.folder)
        windows = sum(map(len, self._to_come()))
        if narrow := disk.check_room(self.folder, self.protocol, windows=windows, source=self.meter.info):
            self.display.note(narrow)
        agreements = self.workers.start(self.meter.info)
        self.meter.count_servers([info.served for info in self.workers.loaded.values() if info.served])
        self.prepared = self.workers.prepared
        reading_s, longer = self._fit_to_meter()
        record = SessionRecord(
            session=self.number,
            started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            source=self.meter.info,
            note=self.meter.note,
            loaded=self.workers.loaded,
            equal_work=agreements,
            prompt_ids_sha256=ids_sha256(next(iter(self.workers.ids.values()))),
            chat_template_sha256=next(iter(self.workers.chats.values())),
            prompt_tokens=self.workers.prompt_tokens(),
            gates=self.workers.gates,
            reading_s=reading_s,
            stretched=longer,
            kept_awake=awake.kept_by(),
            power=self._holder.power,
        )
        self.store.append([record])
        self.has_begun = True
        for backend, why in self.workers.refused.items():
            self._event("backend left out", f"{backend}: {why}")

    def _fit_to_meter(self) -> tuple[float, dict[str, float]]:
        """Lengthen what is too short for the cadence of the meter, and say so; returns both."""
        reading_s = self.meter.cadence_s()
        self.protocol = cadence.stretched(self.protocol, reading_s)
        longer = cadence.changes(self.prepared.suite.protocol, self.protocol)
        if longer:
            self.display.note(cadence.sentence(longer, cadence_s=reading_s))
        return reading_s, longer

    def self_test(self) -> None:
        """Does each rail of the meter move when it should?"""
        self.display.stage("self-test of the meter")
        record = self.meter.self_test(seconds_s=self.protocol.self_test_s, session=self.number)
        if record is not None:
            self.store.append([record])
            why = f": {record.reason}" if record.reason else ""
            self.display.note(f"self-test of the meter {record.outcome}{why}")

    def lag(self, where: str) -> None:
        """How late does the meter show what is commanded?"""
        if not self.protocol.self_test_s:
            return
        self.display.stage(f"pulses {where} the blocks")
        began_s, minutes = time.perf_counter(), self._minutes
        most_s = math.inf if minutes is None else minutes.most_pulses_s
        record = self.meter.lag(where, session=self.number, most_s=most_s)
        if minutes is not None:
            minutes.pulses_s = time.perf_counter() - began_s
        if record is not None:
            self.store.append([record])
            said = record.lag or "not known, the pulses told nothing"
            self.display.note(f"lag of the meter {where} the blocks: {said}")

    def time_passes(self) -> None:
        """Where the run has minutes: time a pass of every configuration."""
        if self._minutes is not None:
            self.display.stage("a first repeat of every configuration")
            most_s = self._minutes.first_pass_s(self.prepared)
            self._passes = {a.label: self._first_pass(a, most_s) for a in self.prepared.arms if not a.a_a}

    def latency(self) -> None:
        """Time single tokens of every configuration, unless an earlier session has done so."""
        most = self.protocol.latency_prompts
        if not most or self.prepared.as_published or self.stored.of(LatencyRecord):
            return
        if self._minutes is not None:
            most = self._minutes.latency_prompts(self._passes, self.prepared, most=most)
        if not most:
            self._event("latency not measured", "too slow for the minutes of the run")
            return
        ids = [prompt.id for prompt in self.prepared.prompts.prompts[:most]]
        self.display.stage("latency, token by token")
        for arm in (arm for arm in self.prepared.arms if not arm.a_a):
            try:
                found = self._holder.latency(arm, ids, self.protocol)
            except (WorkerLost, WorkerRefused) as error:
                self._event("latency not measured", f"{arm.label}: {error}")
                self._holder.replace_if_lost(arm.backend, error)
            else:
                self.store.append([found])

    def size(self) -> None:
        """Where the run has minutes: divide what is left of them.

        Raises:
            UserError: the least there is would end far too late.
        """
        if self._minutes is None:
            return
        ask = partial(self._minutes.divide, self._passes, self.prepared, self.protocol, session=self.number)
        self._resize(ask(reading_s=self.meter.cadence_s(), room=self.workers.room()))

    def _first_pass(self, arm: Arm, most_s: float) -> FirstPass:
        """The first pass of an arm; one that fails takes no time."""
        try:
            return self._holder.first_pass(arm, self.protocol, most_s=most_s)
        except (WorkerLost, WorkerRefused) as error:
            self._holder.replace_if_lost(arm.backend, error)
            return FirstPass(fixed_s=(ONE_PASS_S,), token_s=(0.0,), gap_s=0.0)

    def _resize(self, sized: SizedRecord) -> None:
        """From now on the plan is this one."""
        self.store.append([sized])
        self._sized = sized
        self.prepared = prepare.resized(self.prepared, **sized.sizes)
        self.protocol, self._holder.prompts = self.prepared.suite.protocol, self.prepared.prompts.prompts
        self._holder.on_every_worker(partial(self.workers.resize, self.prepared))
        self.display.note(sentence(sized))

    def remaining_blocks(self) -> Iterator[list[PlannedSlot]]:
        """Blocks that no earlier session has finished; a run of so many minutes may get more or fewer."""
        least_s = self.protocol.cool_down_s + self.protocol.min_window_s
        self._remaining = Remaining(self._to_come(), idle_s=self.protocol.idle_s, slot_least_s=least_s)
        while to_come := self._to_come():
            yield to_come[0]

    def _to_come(self) -> list[list[PlannedSlot]]:
        return [block for block in self.prepared.blocks if block[0].block not in self._whole]

    def idle(self, where: str) -> None:
        """Measure the machine with the models loaded and nothing running."""
        self.display.stage(f"idle {where} the blocks, {self.protocol.idle_s:g} s")
        self._holder.on_every_worker(self.workers.synchronize)
        start_s, end_s, joules = self.meter.idle(self.protocol.idle_s)
        record = IdleRecord(session=self.number, where=where, start_s=start_s, end_s=end_s, joules=joules)
        self.store.append([record])
        self.display.idle_done(joules, seconds_s=end_s - start_s, thermal=self.meter.thermal)
        if where == "before":
            self.meter.check_measures()

    def measure(self, slot: PlannedSlot) -> None:
        """Hold one arm for whole passes, then attribute and store."""
        self.display.slot_started(slot, remaining=self._remaining)
        requests: list[RequestRecord] = []
        began_s = time.perf_counter()
        record: SlotRecord | VoidSlot
        try:
            record = self._holder.hold(slot, requests, self.protocol)
            self.store.append([*requests, record])
        except (WorkerLost, WorkerRefused) as error:
            failed, record = self._holder.void(slot, requests, error)
            self._event("window void", str(error))
            self._holder.replace_if_lost(slot.arm.backend, error)
            self.store.append([*requests, failed, record])
        self.meter.check_alive()
        self._remaining.slot_took(slot, seconds_s=time.perf_counter() - began_s)
        self.display.slot_done(record, requests, thermal=self.meter.thermal)

    def finish(self, block: list[PlannedSlot]) -> bool:
        """Mark a block as whole; whether the run is over, with its blocks or by a look that settles it."""
        number = block[0].block
        self.store.append([BlockRecord(session=self.number, block=number)])
        self._whole.add(number)
        self._keep_to_minutes()
        settled = self._ask is not None and number in self.protocol.looks and self._look(self._ask, number)
        return settled or not self._to_come()

    def _keep_to_minutes(self) -> None:
        """After a block: as many blocks in all as fit, now that their length is known."""
        if self._minutes is None:
            return
        done = len(self._whole)
        here = done - len(self._before)
        blocks = self._minutes.blocks(done, here=here, idle_s=self.protocol.idle_s)
        if blocks != self._sized.blocks:
            self._resize(replace(self._sized, done=done, blocks=blocks))
            self._remaining.expect(self._to_come())

    def _look(self, ask: Ask, blocks: int) -> bool:
        verdicts, settled = ask(self.stored.folder)
        said = ", ".join(f"{arm} {verdict}" for arm, verdict in verdicts.items())
        self._event("settled" if settled else "look", f"after {blocks} blocks: {said}")
        return settled

    def _event(self, kind: str, detail: str) -> None:
        event = EventRecord(session=self.number, kind=kind, detail=detail, at_s=time.perf_counter())
        self.store.append([event])
        if kind not in ("finished", "failed"):  # what failed is told as the error that it is
            self.display.note(f"{kind}: {detail}")
