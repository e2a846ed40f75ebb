"""A process per backend: loads models, runs requests, stamps the clock after synchronising.

    python -P -m bench.worker BACKEND CHANNEL LIFELINE

It obeys JSON messages on the file descriptor CHANNEL, one reply for each, and knows nothing of energy,
files or other backends. LIFELINE is a pipe that only the conductor holds open: when it closes, the
conductor is gone and this process ends at once, in the middle of a request if need be.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from backends.base import Backend, BackendError
from bench import plugins
from bench.errors import BenchError
from bench.gates.base import Gate


class Worker:
    """Loaded models, gates and encoded prompts of one backend."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.models: dict[str, Backend] = {}
        self.gates: dict[str, Gate] = {}
        self.prompts: dict[str, dict[str, list[int]]] = {}
        self.default_new_tokens = 1
        self.ignore_eos = True

    def load(self, message: dict[str, Any]) -> dict[str, Any]:
        """Load every model and make every gate."""
        for key, options in message["models"].items():
            folder = options["folder"]
            options = {**options, "folder": Path(folder) if folder else None}
            self.models[key] = plugins.create("backends", self.backend, options)
        for label, gate in message["gates"].items():
            self.gates[label] = plugins.create("gates", gate["plugin"], gate["options"])
        self.default_new_tokens = message["max_new_tokens"]
        self.ignore_eos = message["ignore_eos"]
        return {"loaded": {key: asdict(model.info) for key, model in self.models.items()}}

    def encode(self, message: dict[str, Any]) -> dict[str, Any]:
        """Tokenise every prompt for every model, so that no window contains it."""
        for key, model in self.models.items():
            self.prompts[key] = {prompt["id"]: model.encode(prompt["text"]) for prompt in message["prompts"]}
        return {"ids": self.prompts}

    def synchronize(self, _: dict[str, Any]) -> dict[str, Any]:
        """Wait until every device is idle, then read the clock."""
        for model in self.models.values():
            model.synchronize()
        return {"now_s": time.perf_counter()}

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """One prompt under one gate, with the instants between its phases."""
        prompt_id = message["prompt_id"]
        gate = self.gates[message["gate"]]
        start_s = time.perf_counter()
        budget = gate.decide(self.prompts[message["gate_model"]][prompt_id])
        gated_s = time.perf_counter()
        done = self._generate(budget.model, prompt_id, budget.max_new_tokens or self.default_new_tokens)
        return {"start_s": start_s, "gated_s": gated_s, **done}

    def warm(self, message: dict[str, Any]) -> dict[str, Any]:
        """One request without a gate."""
        start_s = time.perf_counter()
        done = self._generate(message["model"], message["prompt_id"], self.default_new_tokens)
        return {"seconds_s": done["end_s"] - start_s, **done}

    def _generate(self, key: str, prompt_id: str, max_new_tokens: int) -> dict[str, Any]:
        model, ids = self.models[key], self.prompts[key][prompt_id]
        session = model.prefill(ids)
        model.synchronize()
        prefilled_s = time.perf_counter()
        generated = model.decode(session, max_new_tokens=max_new_tokens, ignore_eos=self.ignore_eos)
        model.synchronize()
        end_s = time.perf_counter()
        return {
            "model": key,
            "prompt_tokens": len(ids),
            "tokens": generated.tokens,
            "forwards": generated.forwards,
            "prefilled_s": prefilled_s,
            "end_s": end_s,
        }

    def texts(self, message: dict[str, Any]) -> dict[str, Any]:
        """Text of generated tokens; asked for after a window has closed."""
        return {"texts": [self.models[key].decode_text(tokens) for key, tokens in message["answers"]]}

    def logits(self, message: dict[str, Any]) -> dict[str, Any]:
        """Logits of a probe prompt, as nested lists of float32 values."""
        logits = self.models[message["model"]].logits(message["ids"])
        return {"shape": list(logits.shape), "float32_hex": logits.astype("<f4").tobytes().hex()}

    def obey(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run one message; an error that a user can act on becomes a reply."""
        commands = (
            self.load,
            self.encode,
            self.synchronize,
            self.request,
            self.warm,
            self.texts,
            self.logits,
        )
        command = {c.__name__: c for c in commands}[message["command"]]
        try:
            return command(message)
        except (BenchError, BackendError) as error:
            return {"error": str(error), "kind": type(error).__name__}


def main() -> None:
    """Serve until the conductor closes the channel."""
    backend, channel, lifeline = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the conductor to act on
    threading.Thread(target=_end_with_the_conductor, args=(lifeline,), daemon=True).start()
    connection = Connection(channel)
    worker = Worker(backend)
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except EOFError:
            return
        connection.send_bytes(json.dumps(worker.obey(message)).encode())


def _end_with_the_conductor(lifeline: int) -> None:
    os.read(lifeline, 1)  # blocks, without spinning, until the other end is closed
    os._exit(1)


if __name__ == "__main__":
    main()
