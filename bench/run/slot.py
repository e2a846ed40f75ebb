"""How a slot is held: an arm runs whole passes on its worker, and its device is idle at both ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from bench.run import host
from bench.run.display.plain import Display
from bench.run.meter import Meter
from bench.run.minutes import first_pass_of
from bench.run.power import Power, changed
from bench.run.ranks.joules import summed
from bench.run.records import FailedRequest, LatencyRecord, RequestRecord, SlotRecord, VoidSlot
from bench.run.workers.group import Workers
from bench.run.workers.messages import Discard, Request, Settle, Synchronize, TimeTokens
from bench.run.workers.process import WorkerLost
from bench.suite.config import Protocol
from bench.suite.plan import Arm, PlannedSlot
from bench.suite.prepare import ONE_PASS_S, Prepared
from bench.suite.sizing import FirstPass


class Holder:
    """Holds the slots of one session.

    Args:
        prepared: whose prompts make a pass.
        session: its number.
        meter: that runs.
        workers: that run the models.
        display: is told.
        event: stores an event, of a kind and with details.
    """

    def __init__(
        self,
        prepared: Prepared,
        *,
        session: int,
        meter: Meter,
        workers: Workers,
        display: Display,
        event: Callable[[str, str], None],
    ) -> None:
        self.power = host.power()
        """The power supply at the start of the session."""
        self.prompts = prepared.prompts.prompts
        """Of a pass."""
        self._as_published = prepared.as_published
        self._new_tokens = prepared.suite.generation.max_new_tokens
        self._session = session
        self._meter, self._workers, self._display, self._event = meter, workers, display, event

    def hold(
        self,
        slot: PlannedSlot,
        requests: list[RequestRecord],
        protocol: Protocol,
        *,
        pass_most_s: float = math.inf,
    ) -> SlotRecord:
        """Run passes until the window is long enough; `requests` grows as they are done.

        A pass that would take longer than `pass_most_s` is cut short: for one that is not stored.

        Raises:
            WorkerLost: the worker died or hung.
            WorkerRefused: it can't do what it was asked.
        """
        worker = self._workers.of(slot.arm.backend)
        ask = partial(worker.ask, deadline_s=protocol.request_deadline_s)
        ask(Settle())  # what a void slot left behind
        power = host.power()
        self._cool_down(protocol)
        if not self._as_published:  # after a rest the first answer may be slow; the papers took it along
            ask(Discard(prompt_id=self.prompts[0].id, gate=slot.arm.gate))
        self._display.window_opens()
        opened = closed = ask(Synchronize())
        start_s = opened.now_s  # by the worker's own clock reading
        place, passes, end_s = self._place(slot), 0, start_s
        while end_s - start_s < protocol.min_window_s:
            passes += 1
            for prompt in self.prompts:
                answered = vars(ask(Request(prompt_id=prompt.id, gate=slot.arm.gate)))
                requests.append(RequestRecord(**place, pass_number=passes, prompt_id=prompt.id, **answered))
                self._display.request_done(requests[-1], of=len(self.prompts))
                if (time.perf_counter() - start_s) * (1 + 1 / len(requests)) > pass_most_s:
                    break  # one more like these would be too many
            closed = ask(Synchronize())
            end_s = closed.now_s
        settled = ask(Settle())  # text and counted work, now that the window is closed
        requests[:] = [replace(r, **vars(one)) for r, one in zip(requests, settled.requests, strict=True)]
        if settled.counted:
            requests[:] = [replace(r, **vars(one)) for r, one in zip(requests, settled.counted, strict=True)]
        power = self._held_power(power)
        joules, ranks = self._meter.joules(start_s, end_s), worker.elsewhere(opened, closed)
        return SlotRecord(
            **place,
            passes=passes,
            start_s=start_s,
            end_s=end_s,
            joules=summed(joules, ranks),
            ranks=ranks,
            power=power,
        )

    def first_pass(self, arm: Arm, protocol: Protocol, *, most_s: float) -> FirstPass:
        """How fast an arm is, from a slot of one pass that is not stored.

        Args:
            arm: to time.
            protocol: as the meter allows it.
            most_s: seconds after which the pass ends, though never before its first request.

        Raises:
            WorkerLost: the worker died or hung.
            WorkerRefused: it can't do what it was asked.
        """
        requests: list[RequestRecord] = []
        began_s = time.perf_counter()
        one_pass = protocol.model_copy(update={"min_window_s": ONE_PASS_S})
        slot = PlannedSlot(block=0, position=0, arm=arm)
        record = self.hold(slot, requests, one_pass, pass_most_s=most_s)
        took_s = time.perf_counter() - began_s
        return first_pass_of(record, requests, took_s=took_s, new_tokens=self._new_tokens)

    def latency(self, arm: Arm, prompts: list[str], protocol: Protocol) -> LatencyRecord:
        """Time the tokens of these prompts one by one; no window is open.

        Raises:
            WorkerLost: the worker died or hung.
            WorkerRefused: it can't do what it was asked.
        """
        ask = partial(self._workers.of(arm.backend).ask, deadline_s=protocol.request_deadline_s)
        ask(Discard(prompt_id=prompts[0], gate=arm.gate))
        requests = {prompt: ask(TimeTokens(prompt_id=prompt, gate=arm.gate)) for prompt in prompts}
        return LatencyRecord(session=self._session, backend=arm.backend, gate=arm.gate, requests=requests)

    def void(
        self, slot: PlannedSlot, requests: list[RequestRecord], error: Exception
    ) -> tuple[FailedRequest, VoidSlot]:
        """What is stored of a slot that has no figures: the request that failed, and why."""
        passes, done = divmod(len(requests), len(self.prompts))
        place, why = self._place(slot), str(error)
        prompt_id = self.prompts[done].id
        failed = FailedRequest(**place, pass_number=passes + 1, prompt_id=prompt_id, error=why)
        return failed, VoidSlot(**place, passes=passes, error=why)

    def on_every_worker(self, asked: Callable[[], None]) -> None:
        """Ask all workers; one that was lost since its last answer is replaced, and all are asked again.

        Raises:
            RunFailed: no worker is left.
            WorkerLost: a new one was lost at once.
        """
        try:
            asked()
        except WorkerLost as error:
            self._event("worker lost", str(error))
            self.replace_if_lost(error.backend, error)
            asked()

    def replace_if_lost(self, backend: str, error: Exception) -> None:
        """Get a new worker if it was lost; says so where there is none."""
        lost = self._workers.replace(backend) if isinstance(error, WorkerLost) else None
        if lost is not None:
            self._event("backend lost", lost)

    def _held_power(self, before: Power) -> Power:
        """The power supply that stands for a slot, given what it was before; says so if it changed."""
        held = before if changed(self.power, before) else host.power()
        if how := changed(self.power, held):
            self._display.note(f"power {how} at the start: this window is left out of every verdict")
        return held

    def _cool_down(self, protocol: Protocol) -> None:
        limit_s = protocol.cool_down_limit_s
        problem = self._meter.cool_down(rest_s=protocol.cool_down_s, limit_s=limit_s)
        if problem is not None:
            self._event("not cooled down", f"{problem} after {limit_s:g} s")

    def _place(self, slot: PlannedSlot) -> dict[str, Any]:
        return {
            "session": self._session,
            "block": slot.block,
            "position": slot.position,
            **asdict(slot.arm),
        }
