"""The ten tests of the isolation, as windows of repeated steps on one loaded model. Runs in a worker.

A setting is one test at one value, such as S6 at 256 tokens of context. Settings take turns, a window of
each per round and every other round backwards, so that whatever drifts hits all of them alike. Bytes and
flops are counted from the loaded model's shape (`backends.ledger`), never from file sizes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from backends.base import Backend, BackendError, Generated, RequestError
from backends.cut import Cut
from backends.ledger import Phase, chunks_fed, prefill_work, request_ledger
from backends.probing import HasProbes, Matrices, Probes
from backends.shape import NO_STATE, Shape
from bench.studies.isolate.window import CallWork, Plan, Setting, TimedWindow, measure

PROMPT_TOKENS = 16
PREFILL_TOKENS = 128
BATCHES = (4, 8, 16)
"""Beside one and two tokens, which are those of S8."""
SLICES = (0.75, 0.5, 0.25)
"""Of the MLP that is kept."""
CONTEXTS = (256, 768)
LONGEST_PREFILL_S = 10.0
"""Prompts that take longer are left out, and named."""
STREAM_PER_ROUND, DECODE_PER_ROUND = 3, 2
"""The bandwidth and the plain step are what all else is held against, so they are measured more often."""
WAIT_COVERS_S = 0.1
"""Reads of the stream between two waits for the device last so long, so that a wait costs next to nothing."""


class NotAvailable(Exception):
    """A test can't be run here; the message says why."""


@dataclass
class Cell:
    """One loaded model at one precision, with what its tests need."""

    model: Backend
    cut: Cut
    """Of the precision; the whole model otherwise."""
    plan: Plan
    tiny: Backend | None
    """The same layers at a tiny width."""
    missing: dict[str, str] = field(default_factory=dict)
    """Test -> why it is not available."""
    token_s: float = 0.0
    """Prefill time of a prompt token, once it is known."""
    settings: list[Setting] = field(default_factory=list)
    """The tests that can be run; filled by `open`."""

    def open(self) -> None:
        """Find out which tests can be run here, and run each once to warm up."""
        self.settings = [setting for setting in self._settings() if self._works(setting)]

    def round(self, number: int) -> list[TimedWindow]:
        """One window of every setting, every other round backwards."""
        order = self.settings if number % 2 == 0 else self.settings[::-1]
        return [
            measure(setting, self.model.synchronize, window_s=self.plan.window_s)
            for setting in order
            for _ in range(setting.per_round)
        ]

    def _settings(self) -> Iterator[Setting]:
        for name, make in (
            ("S1", self._stream),
            ("S2", self._weights),
            ("S3", self._decode),
            ("S4", self._batch),
            ("S6", self._context),
            ("S7", self._ablation),
            ("S8", self._compute),
            ("S10", self._launches),
        ):
            if name not in self.plan.tests:
                continue
            try:
                yield from list(make())
            except (NotAvailable, BackendError, ImportError) as error:
                self.missing[name] = str(error)

    def _works(self, setting: Setting) -> bool:
        """Run it once, which also warms it up; one that can't be run is named and left out."""
        try:
            setting.run(setting.prepare())
        except (NotAvailable, BackendError, RuntimeError) as error:  # the last is what libraries raise
            self.missing[setting.test] = str(error)
            return False
        return True

    # The tests --------------------------------------------------------------------------------------

    @property
    def _probes(self) -> Probes:
        if not isinstance(self.model, HasProbes):
            backend = self.model.info.backend
            raise NotAvailable(f"no stream and no matrix probe is written for the backend {backend!r}")
        return self.model.probes()

    def _stream(self) -> Iterator[Setting]:
        read, size_bytes = self._probes.stream(self.plan.stream_bytes), self.plan.stream_bytes
        read(1)
        start_s = time.perf_counter()
        read(1)
        times = math.ceil(WAIT_COVERS_S / (time.perf_counter() - start_s))

        def run(_: Any) -> CallWork:
            read(times)
            return CallWork(steps=times, read_bytes=times * size_bytes, flops=0)

        yield Setting(test="S1", run=run, per_round=STREAM_PER_ROUND)

    def _weights(self) -> Iterator[Setting]:
        """S2, and S9 on the same products: half of the results masked, all weights still read."""
        if self.cut.weight_bits is not None:
            raise NotAvailable("the matrices are quantised; the probe reads them as they were loaded")
        matrices = self._probes.matrices()
        yield Setting(test="S2", run=lambda _: _products(matrices, masked=False), also=("S9",))
        yield Setting(test="S9", run=lambda _: _products(matrices, masked=True), changed=True)

    def _decode(self) -> Iterator[Setting]:
        plain = self._decoding("S3", self.cut, PROMPT_TOKENS)
        yield replace(plain, per_round=DECODE_PER_ROUND, also=("S6", "S7"))
        if self._affordable("prefill", PREFILL_TOKENS):
            yield self._prefilling("prefill", PREFILL_TOKENS)

    def _batch(self) -> Iterator[Setting]:
        """B tokens in one forward: the same weights, B times the arithmetic."""
        for batch in BATCHES:
            yield self._prefilling("S4", batch)

    def _context(self) -> Iterator[Setting]:
        limit = self.model.info.context or max(CONTEXTS) * 2
        for context in (c for c in CONTEXTS if 2 * c <= limit and self._affordable("S6", c)):
            yield self._decoding("S6", self.cut, context)

    def _ablation(self) -> Iterator[Setting]:
        layers = self.model.info.layers
        for share in (0.25, 0.5):
            dropped = tuple(range(layers - math.floor(layers * share), layers))
            fewer = self._decoding("S7", _with(self.cut, drop_blocks=dropped), PROMPT_TOKENS, changed=True)
            yield replace(fewer, layers=1 - len(dropped) / layers)
        for kept in SLICES:
            thinner = self._decoding("S7", _with(self.cut, mlp_keep=kept), PROMPT_TOKENS, changed=True)
            yield replace(thinner, per_round=DECODE_PER_ROUND)

    def _compute(self) -> Iterator[Setting]:
        """One token and two in a forward: as many flops again inside the step, for the same weights."""
        for batch in (1, 2):
            setting = self._prefilling("S8", batch)
            yield replace(setting, per_round=DECODE_PER_ROUND, also=("S4",), changed=batch > 1)

    def _launches(self) -> Iterator[Setting]:
        if self.tiny is None:
            raise NotAvailable("no tiny model of this architecture could be made")
        tiny = replace(self, model=self.tiny)
        yield tiny._decoding("S10", Cut(), PROMPT_TOKENS)

    def _affordable(self, test: str, tokens: int) -> bool:
        """Whether a prefill of so many tokens, which grows with them, is short enough to repeat."""
        if not self.token_s:
            start_s = time.perf_counter()
            self.model.prefill(_ids(self.model, PROMPT_TOKENS), self.cut)
            self.model.synchronize()
            self.token_s = (time.perf_counter() - start_s) / PROMPT_TOKENS
        affordable = tokens * self.token_s <= LONGEST_PREFILL_S
        if not affordable:
            why = f"a prefill of {tokens} tokens takes {tokens * self.token_s:.0f} s here"
            self.missing[test] = "; ".join(filter(None, (self.missing.get(test), why)))
        return affordable

    def _decoding(self, test: str, cut: Cut, context: int, *, changed: bool = False) -> Setting:
        """Decode steps after a prompt of `context` tokens. A window is one request, so it is sized first."""
        model, ids = self.model, _ids(self.model, context)
        model.ready(cut)
        steps = self._steps_that_fill(cut, ids)

        def run(session: Any) -> CallWork:
            # the prepared prefill serves the window's first request; a second one brings its own
            fresh = session if session.cache is not None else model.prefill(ids, cut)
            generated = model.decode(fresh, max_new_tokens=steps + 1, ignore_eos=True)
            return _decoded(model, cut, context, generated)

        return Setting(
            test=test, run=run, prepare=lambda: model.prefill(ids, cut), context=context, changed=changed
        )

    def _steps_that_fill(self, cut: Cut, ids: list[int]) -> int:
        """So many decode steps last a little longer than a window."""
        seconds_s = []
        for _ in range(2):
            session = self.model.prefill(ids, cut)
            self.model.synchronize()
            start_s = time.perf_counter()
            self.model.decode(session, max_new_tokens=5, ignore_eos=True)
            seconds_s.append((time.perf_counter() - start_s) / 4)
        most = (self.model.info.context or 1 << 30) - len(ids) - 1
        return max(1, min(most, math.ceil(1.3 * self.plan.window_s / min(seconds_s))))

    def _prefilling(self, test: str, tokens: int) -> Setting:
        model, ids, cut = self.model, _ids(self.model, tokens), self.cut
        model.ready(cut)

        def run(_: Any) -> CallWork:
            used = model.prefill(ids, cut).used
            model.synchronize()
            state = used.state if used else NO_STATE
            return _worked(1, prefill_work(_shape(model, cut), chunks_fed(used, tokens), state=state))

        if test == "prefill":
            return Setting(test=test, run=run, context=tokens)
        return Setting(test=test, run=run, batch=tokens)


def _decoded(model: Backend, cut: Cut, context: int, generated: Generated) -> CallWork:
    work = request_ledger(_shape(model, cut), cut, prompt_tokens=context, generated=generated)
    return _worked(generated.forwards, work.decode)


def _shape(model: Backend, cut: Cut) -> Shape:
    shape = model.shape(cut)
    if shape is None:
        raise RequestError(
            f"nobody knows what a step of a model of type {model.info.architecture!r} reads",
            fix="isolate a model of another type",
        )
    return shape


def _worked(steps: int, phase: Phase) -> CallWork:
    return CallWork(steps=steps, read_bytes=phase.bytes, flops=phase.flops)


def _products(matrices: Matrices, *, masked: bool) -> CallWork:
    matrices.products(masked)
    return CallWork(steps=1, read_bytes=matrices.read_bytes, flops=matrices.flops)


def _with(cut: Cut, **changes: Any) -> Cut:
    return Cut.model_validate({**cut.model_dump(), **changes})


def _ids(model: Backend, tokens: int) -> list[int]:
    """Token ids that every vocabulary has; what they say does not matter here."""
    return [3 + i % min(200, model.info.vocabulary - 3) for i in range(tokens)]
