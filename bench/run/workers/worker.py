"""A process per backend: loads models, runs requests, stamps the clock after synchronising.

    python -P -m bench.lifeline LIFELINE bench.run.workers.worker BACKEND CHANNEL

It obeys JSON messages on the file descriptor CHANNEL, one reply for each, and knows nothing of energy,
files or other backends. LIFELINE is a pipe that only the conductor holds open: when it closes, the
conductor is gone and this process ends at once, in the middle of a request or an import (`bench.lifeline`).
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

from backends.abilities import HasDrafts, HasLatency, Serves
from backends.base import Backend, BackendError, Redundancy, Session
from backends.guard import Verdict
from bench.errors import BenchError
from bench.run import privilege
from bench.run.observed import Answered, Latency
from bench.run.workers import encoding, takes_effect
from bench.run.workers.in_float32 import InFloat32
from bench.run.workers.logits import compare
from bench.run.workers.messages import (
    AllSettled,
    AskLogits,
    AskRedundancy,
    CompareLogits,
    Discard,
    Done,
    Encode,
    Encoded,
    Forget,
    Guard,
    Guarded,
    Load,
    Loaded,
    LogitsCompared,
    LogitsSent,
    Message,
    Named,
    Ready,
    Refusal,
    Refused,
    Request,
    Resize,
    Settle,
    Synchronize,
    Synchronized,
    TimeTokens,
    Warm,
    Warmed,
)
from bench.run.workers.requests import RequestAsked, answer, keep_prefix, peak_bytes, prefill, settled
from bench.suite import libraries, plugins
from bench.suite.gates.base import Budget, Gate
from bench.suite.gates.matching import match_controls
from bench.typed import from_json, to_json

_DISCARDED_TOKENS = 2
"""New tokens of a discarded request: a prefill and one forward of a decode."""

Commands = dict[type[Message[Any]], Callable[[Any], Any]]
"""What a worker obeys: the class of the message -> what answers it."""


class Worker:
    """Loaded models, gates and encoded prompts of one backend."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.models: dict[str, Backend] = {}
        self.gates: dict[str, Gate] = {}
        self.prompts: dict[str, dict[str, list[int]]] = {}
        self.default_new_tokens, self.default_batch, self.default_prompt_cache = 1, 1, False
        self._prefixes: dict[Budget, int] = {}
        self.ignore_eos = True
        self.gate_model = ""
        self._unsettled: list[tuple[RequestAsked, Any]] = []
        self._in_float32 = InFloat32(backend, {})

    def load(self, message: Load) -> Loaded:
        """Load every model and make every gate."""
        privilege.check_gone()
        self._in_float32 = InFloat32(self.backend, message.models)
        for key, one in message.models.items():
            options = {**one.options, "folder": one.folder}
            self.models[key] = plugins.create("backends", self.backend, options)
        libraries.allow_unused(self.backend)
        for model in self.models.values():
            if isinstance(model, HasDrafts):
                model.take_drafts(self.models)
        for label, gate in message.gates.items():
            self.gates[label] = plugins.create("gates", gate.plugin, gate.options)
        self.default_new_tokens, self.default_batch = message.max_new_tokens, message.batch
        self.default_prompt_cache = message.prompt_cache
        self.ignore_eos = message.ignore_eos
        gc.freeze()
        gc.enable()
        named = {key: replace(model.info, backend=self.backend) for key, model in self.models.items()}
        return Loaded(loaded=named)

    def encode(self, message: Encode) -> Encoded:
        """Tokenise every prompt for every model, so that no window contains it."""
        chat = message.chat
        for key in self.models:
            self.prompts[key] = {
                prompt.id: encoding.encode(self.models, key, prompt, chat) for prompt in message.prompts
            }
        return Encoded(ids=self.prompts, chats=encoding.templates(self.models) if chat is not None else {})

    def ready(self, message: Ready) -> Done:
        """Match the controls to their gates, and prepare every cut that some prompt will get."""
        self.gate_model = message.gate_model
        seen = list(self.prompts[self.gate_model].values())
        self.gates = match_controls(self.gates, seen)
        for gate in self.gates.values():
            for budget in {gate.decide(ids) for ids in seen}:
                self.models[budget.model].ready(budget.cut)
                if budget.caches_prompts(self.default_prompt_cache):
                    prompts = self.prompts[budget.model].values()
                    self._prefixes[budget] = keep_prefix(self.models[budget.model], prompts, budget.cut)
        return Done()

    def _prefill(self, budget: Budget, prompt_id: str) -> Session:
        return prefill(
            self.models[budget.model],
            self.prompts[budget.model][prompt_id],
            budget.cut,
            batch=budget.batch or self.default_batch,
            prefix=self._prefixes.get(budget, 0),
        )

    def guard(self, message: Guard) -> Guarded:
        """Does each gate take effect? See `takes_effect.py`."""
        return Guarded(gates={label: self._guard(label, message.baseline) for label in self.gates})

    def _guard(self, label: str, baseline: str) -> Verdict:
        prompts = self.prompts[self.gate_model]
        usual = {prompt: self.gates[baseline].decide(ids) for prompt, ids in prompts.items()}
        chosen = {prompt: self.gates[label].decide(ids) for prompt, ids in prompts.items()}
        return takes_effect.outcome(
            self.models, self.prompts, usual=usual, chosen=chosen, new_tokens=self.default_new_tokens
        )

    def synchronize(self, _: Synchronize) -> Synchronized:
        """Wait until every device is idle, then read the clock."""
        for model in self.models.values():
            model.synchronize()
        return Synchronized(now_s=time.perf_counter())

    def request(self, message: Request) -> Answered:
        """One prompt under one gate, with the instants between its phases."""
        gate = self.gates[message.gate]
        start_s = time.perf_counter()
        budget = gate.decide(self.prompts[self.gate_model][message.prompt_id])
        return self._generate(budget, message.prompt_id, start_s=start_s)

    def warm(self, message: Warm) -> Warmed:
        """One request without a gate."""
        budget = Budget(model=message.model)
        done = self._generate(budget, message.prompt_id, start_s=time.perf_counter())
        self._unsettled.clear()
        return Warmed(seconds_s=done.end_s - done.start_s)

    def discard(self, message: Discard) -> Done:
        """The same work as a request with a short answer; nothing of it is kept."""
        budget = self.gates[message.gate].decide(self.prompts[self.gate_model][message.prompt_id])
        model = self.models[budget.model]
        tokens = min(budget.max_new_tokens or self.default_new_tokens, _DISCARDED_TOKENS)
        session = self._prefill(budget, message.prompt_id)
        model.decode(session, max_new_tokens=tokens, ignore_eos=self.ignore_eos)
        model.synchronize()
        return Done()

    def time_tokens(self, message: TimeTokens) -> Latency:
        """When each token of a request is at the host, and the memory that it took."""
        start_s = time.perf_counter()
        budget = self.gates[message.gate].decide(self.prompts[self.gate_model][message.prompt_id])
        model = self.models[budget.model]
        if not isinstance(model, HasLatency):
            return Latency(
                first_token_s=None, token_s=None, device_peak_bytes=None, process_peak_bytes=peak_bytes()
            )
        stamps_s: list[float] = []
        model.reset_peak_memory()
        model.decode_watched(
            self._prefill(budget, message.prompt_id),
            max_new_tokens=budget.max_new_tokens or self.default_new_tokens,
            ignore_eos=self.ignore_eos,
            after=lambda: stamps_s.append(time.perf_counter()),
        )
        return Latency(
            first_token_s=stamps_s[0] - start_s,
            token_s=[late - early for early, late in pairwise(stamps_s)],
            device_peak_bytes=model.peak_memory_bytes(),
            process_peak_bytes=None if isinstance(model, Serves) else peak_bytes(),  # not the server's
        )

    def resize(self, message: Resize) -> Done:
        """Answers of another length."""
        self.default_new_tokens = message.max_new_tokens
        return Done()

    def _generate(self, budget: Budget, prompt_id: str, *, start_s: float) -> Answered:
        asked = RequestAsked(
            budget=budget,
            ids=self.prompts[budget.model][prompt_id],
            max_new_tokens=budget.max_new_tokens or self.default_new_tokens,
            ignore_eos=self.ignore_eos,
            batch=budget.batch or self.default_batch,
            prefix=self._prefixes.get(budget, 0),
        )
        answered, made = answer(self.models[budget.model], asked, start_s=start_s)
        self._unsettled.append((asked, made))
        return answered

    def settle(self, _: Settle) -> AllSettled:
        """What is worth knowing of the requests since the last call; asked for once a window is closed."""
        models, unsettled, self._unsettled = self.models, self._unsettled, []
        told = [settled(models[asked.budget.model], asked, made) for asked, made in unsettled]
        return AllSettled(requests=[one for one, _ in told], counted=[n for _, n in told if n is not None])

    def logits(self, message: AskLogits) -> LogitsSent:
        """Logits of a probe prompt, of a loaded model or of its form in float32."""
        return self._in_float32.logits(message, loaded=self.models[message.model])

    def forget(self, _: Forget) -> Done:
        """Free what was loaded in float32."""
        self._in_float32.forget()
        return Done()

    def compare(self, message: CompareLogits) -> LogitsCompared:
        """Teacher-forced logits under cuts beside those without."""
        model = self.models[message.model]
        return LogitsCompared(comparisons=compare(model, message.ids, message.cuts, first=message.first))

    def redundancy(self, message: AskRedundancy) -> Redundancy:
        """How little each attention, MLP and block changes the residual stream over some ids."""
        return self.models[message.model].redundancy(message.ids, message.cut)

    def commands(self) -> Commands:
        """What can be asked."""
        return {
            Load: self.load,
            Encode: self.encode,
            Synchronize: self.synchronize,
            Request: self.request,
            Warm: self.warm,
            Discard: self.discard,
            TimeTokens: self.time_tokens,
            Resize: self.resize,
            Settle: self.settle,
            Ready: self.ready,
            Guard: self.guard,
            AskLogits: self.logits,
            Forget: self.forget,
            CompareLogits: self.compare,
            AskRedundancy: self.redundancy,
        }

    def obey(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run one message; an error that a user can act on becomes a reply."""
        named = from_json(Named, message)
        [(kind, command)] = [c for c in self.commands().items() if c[0].command == named.command]
        try:
            return to_json(command(from_json(kind, message)))
        except (BenchError, BackendError) as error:
            return to_json(Refused(error=Refusal(what=error.what, fix=error.fix)))


def serve(kind: type[Worker]) -> None:
    """Obey until the conductor closes the channel."""
    backend, channel = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the conductor to act on
    connection = Connection(channel)
    libraries.without_unused(backend)
    gc.disable()  # until models are loaded: what libraries make while they are imported stays
    worker = kind(backend)
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except EOFError:
            return
        connection.send_bytes(json.dumps(worker.obey(message)).encode())


if __name__ == "__main__":
    serve(Worker)
