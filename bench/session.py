"""One sitting of a run: the meter and the workers that are alive, and what is done with them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import equal_work, privilege, store
from bench.crew import WorkerLost, WorkerProcess, WorkerRefused
from bench.display import Display
from bench.errors import RunFailed, UserError
from bench.loading import Loader
from bench.measure import joules_of
from bench.meter import Meter
from bench.pace import Remaining
from bench.plan import Slot
from bench.prepare import Prepared
from bench.records import (
    BlockRecord,
    EventRecord,
    IdleRecord,
    Joules,
    RequestRecord,
    SessionRecord,
    SlotRecord,
)

_READING_DELAY_S = 3.0
"""How long after a window the reading that covers its end may take to arrive, beside its interval."""


class Session:
    """Use as a context manager: on exit no process is left, whatever happened."""

    def __init__(
        self, prepared: Prepared, *, folder: Path, number: int, meter: Meter, display: Display
    ) -> None:
        self.prepared = prepared
        self.number = number
        self.meter = meter
        self.display = display
        self.stored = store.read(folder)
        self.folder = self.stored.session_folder(number)
        self.folder.mkdir(exist_ok=True)
        self.loader = Loader(prepared, folder=self.folder)
        self.workers: dict[str, WorkerProcess] = {}
        self._unfit: dict[str, str] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.store = store.Store(self.stored.folder)
        self._open.callback(self.store.close)
        self._open.callback(self._stop_workers)
        self._open.callback(self.meter.source.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._has_begun:
                self._event(*_ending(kind, error))
        finally:
            self._open.close()

    # Before the first slot -------------------------------------------------------------------------

    def load(self) -> None:
        """Start the meter and the workers, load, warm up, and check that the backends do equal work."""
        self.meter.source.start(self.folder)
        privilege.give_up()
        self.display.stage("loading " + ", ".join(self.prepared.backends))
        try:
            self.workers = self.loader.start(self.prepared.backends)
        except WorkerRefused as error:
            raise UserError(str(error)) from None
        agreements = self._check_equal_work()
        for backend, worker in self.workers.items():
            self.display.stage(f"warming up {backend}")
            self.loader.warm_up(worker)
        self.store.append(
            [
                SessionRecord(
                    session=self.number,
                    started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
                    source=asdict(self.meter.source.info),
                    note=self.meter.note,
                    loaded=self.loader.loaded,
                    equal_work=agreements,
                    prompt_tokens=self.loader.prompt_tokens(),
                )
            ]
        )

    @property
    def _has_begun(self) -> bool:
        return store.read(self.stored.folder).sessions >= self.number

    def how_to_go_on(self) -> str:
        """What to tell somebody who has just interrupted this."""
        if not self._has_begun:
            return "interrupted before anything was measured; nothing is kept"
        return f"interrupted; what is measured is kept, go on with: bench run --resume {self.stored.folder}"

    def _check_equal_work(self) -> list[dict[str, Any]]:
        """Compare the backends' logits on the first prompt, for every model."""
        if len({self.loader.is_stand_in(backend) for backend in self.workers}) > 1:
            raise RunFailed(
                "the echo backend runs no model and can't stand beside one that does; use --backend"
            )
        agreements = []
        for key, model in self.prepared.models.items():
            first = self.prepared.prompts.prompts[0].id
            ids = {backend: self.loader.ids[backend][key][first] for backend in self.workers}
            found = equal_work.check(self.workers, model=key, dtype=model.dtype, ids=ids)
            for agreement in found:
                self.display.equal_work(agreement)
            agreements += found
        return agreements

    def remaining_blocks(self) -> list[list[Slot]]:
        """Blocks that no earlier session has finished."""
        done = self.stored.finished_blocks
        blocks = [block for block in self.prepared.blocks if block[0].block not in done]
        self._remaining = Remaining(blocks)
        return blocks

    # Measuring -------------------------------------------------------------------------------------

    def idle(self, where: str) -> None:
        """Measure the machine with the models loaded and nothing running."""
        seconds_s = self.prepared.suite.protocol.idle_s
        self.display.stage(f"idle {where} the blocks, {seconds_s:g} s")
        for worker in self.workers.values():
            worker.ask("synchronize", deadline_s=self._deadline_s)
        start_s = time.perf_counter()
        time.sleep(seconds_s)
        end_s = time.perf_counter()
        joules = self._joules(start_s, end_s)
        self.store.append(
            [IdleRecord(session=self.number, where=where, start_s=start_s, end_s=end_s, joules=joules)]
        )
        self.display.idle_done(joules, seconds_s=end_s - start_s)

    def measure(self, slot: Slot) -> None:
        """Hold one arm for whole passes, then attribute and store."""
        self.display.slot_started(slot, remaining=self._remaining)
        requests: list[RequestRecord] = []
        began_s = time.perf_counter()
        try:
            record, texts = self._hold(slot, requests)
        except (WorkerLost, WorkerRefused) as error:
            record, texts = self._void(slot, requests, error), []
        written = [*_with_texts(requests, texts), record]
        self.store.append(written)
        self._remaining.slot_took(slot, seconds_s=time.perf_counter() - began_s)
        self.display.slot_done(record, requests)

    def _hold(self, slot: Slot, requests: list[RequestRecord]) -> tuple[SlotRecord, list[str]]:
        worker = self._worker(slot.arm.backend)
        time.sleep(self.prepared.suite.protocol.cool_down_s)
        start_s = worker.ask("synchronize", deadline_s=self._deadline_s)["now_s"]
        passes, end_s = 0, start_s
        while end_s - start_s < self.prepared.suite.protocol.min_window_s:
            passes += 1
            self._one_pass(slot, passes, worker, requests)
            end_s = worker.ask("synchronize", deadline_s=self._deadline_s)["now_s"]
        answers = [[request.model, request.tokens] for request in requests]
        texts: list[str] = worker.ask("texts", deadline_s=self._deadline_s, answers=answers)["texts"]
        joules = self._joules(start_s, end_s)
        return self._slot_record(slot, passes, start_s=start_s, end_s=end_s, joules=joules), texts

    def _one_pass(
        self, slot: Slot, number: int, worker: WorkerProcess, requests: list[RequestRecord]
    ) -> None:
        for prompt in self.prepared.prompts.prompts:
            reply = worker.ask(
                "request",
                deadline_s=self._deadline_s,
                prompt_id=prompt.id,
                gate=slot.arm.gate,
                gate_model=self.prepared.baseline_model,
            )
            requests.append(self._request_record(slot, number, prompt.id, **reply))
            self.display.request_done(requests[-1], of=len(self.prepared.prompts.prompts))

    def _joules(self, start_s: float, end_s: float) -> Joules:
        """Wait until a reading covers the window's end, then attribute."""
        source = self.meter.source
        source.wait(end_s, timeout_s=_READING_DELAY_S + 3 * source.info.interval_s)
        return joules_of([(start_s, end_s)], trace=source.trace(), info=source.info)[0]

    def finish(self, block: list[Slot]) -> None:
        """Mark a block as whole; measure idle before the next one."""
        number = block[0].block
        self.store.append([BlockRecord(session=self.number, block=number)])
        if number != self.prepared.blocks[-1][0].block:
            self.idle("between")

    # When a worker is lost -------------------------------------------------------------------------

    def _worker(self, backend: str) -> WorkerProcess:
        if backend in self._unfit:
            raise WorkerRefused(self._unfit[backend])
        return self.workers[backend]

    def _void(self, slot: Slot, requests: list[RequestRecord], error: Exception) -> SlotRecord:
        """Record why a slot has no figures, and get a new worker if its own is gone."""
        done = len(requests) % len(self.prepared.prompts.prompts)
        prompt = self.prepared.prompts.prompts[done]
        passes = len(requests) // len(self.prepared.prompts.prompts)
        requests.append(self._request_record(slot, passes + 1, prompt.id, error=str(error)))
        self._event("slot void", str(error))
        if isinstance(error, WorkerLost):
            self._replace(slot.arm.backend)
        return self._slot_record(slot, passes, start_s=None, end_s=None, joules=None, error=str(error))

    def _replace(self, backend: str) -> None:
        self.display.note(f"starting a new {backend} worker")
        try:
            self.workers[backend] = self.loader.start((backend,))[backend]
            self.loader.warm_up(self.workers[backend])
        except (WorkerLost, WorkerRefused) as error:
            self._unfit[backend] = f"{backend} could not be started again: {error}"
            self.workers.pop(backend, None)
            self._event("backend lost", self._unfit[backend])
            if not self.workers:
                raise RunFailed(f"no backend is left: {self._unfit[backend]}") from None

    # Records ---------------------------------------------------------------------------------------

    @property
    def _deadline_s(self) -> float:
        return self.prepared.suite.protocol.request_deadline_s

    def _request_record(self, slot: Slot, number: int, prompt_id: str, **fields: Any) -> RequestRecord:
        return RequestRecord(
            session=self.number,
            block=slot.block,
            position=slot.position,
            pass_number=number,
            prompt_id=prompt_id,
            **asdict(slot.arm),
            **fields,
        )

    def _slot_record(self, slot: Slot, passes: int, **fields: Any) -> SlotRecord:
        return SlotRecord(
            session=self.number,
            block=slot.block,
            position=slot.position,
            passes=passes,
            **asdict(slot.arm),
            **fields,
        )

    def _event(self, kind: str, detail: str) -> None:
        self.store.append(
            [EventRecord(session=self.number, kind=kind, detail=detail, at_s=time.perf_counter())]
        )
        if kind != "finished":
            self.display.note(f"{kind}: {detail}")

    def _stop_workers(self) -> None:
        for worker in self.loader.alive():
            worker.stop()


def _with_texts(requests: list[RequestRecord], texts: list[str]) -> list[RequestRecord]:
    """The requests with the text of their answers, where the worker lived to give it."""
    from dataclasses import replace

    padded = [*texts, *[None] * (len(requests) - len(texts))]
    return [replace(request, text=text) for request, text in zip(requests, padded, strict=True)]


def _ending(kind: type[BaseException] | None, error: BaseException | None) -> tuple[str, str]:
    if kind is None:
        return "finished", "all blocks are whole"
    if issubclass(kind, KeyboardInterrupt):
        return "interrupted", "Ctrl-C; blocks that were not whole are run again on resumption"
    return "failed", str(error)
