"""Prompts of several turns: the model itself answers what comes before the last question, before the run.

A turn is a prompt and, in every pass of every arm, a request of its own. What it begins with, the questions
before it and their answers, is made once: by the baseline's model on the first backend, greedily, up to the
end-of-sequence token or the length of the suite's answers, outside every window. So all arms and backends get
the same ids, and the run folder holds the conversations as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from bench.run.workers.loading import model_to_load
from bench.run.workers.messages import Encode, Load, Ready, Request, Settle
from bench.run.workers.model import ModelWorker, model_worker
from bench.suite.config import GateConfig
from bench.suite.prepare import Prepared
from bench.suite.prompt_forms import Prompt, Turn, as_text, write

_GATE = "ungated"
Conversation = tuple[Turn, ...]


def answered(ready: Prepared, *, progress: Callable[[str], None]) -> Prepared:
    """The same with every conversation whole up to its last question, and the hash of these.

    Raises:
        UserError: the model can't answer.
        RunFailed: its process died.
    """
    asked = ready.prompts.prompts
    if not any(prompt.earlier for prompt in asked):
        return ready
    backend, key = ready.backends[0], ready.baseline_model
    progress(f"answering the turns before the last, on {backend}")
    load = Load(
        models={key: model_to_load(ready, key, backend)},
        gates={_GATE: GateConfig.model_validate({"plugin": "ungated", "full": {"model": key}})},
        max_new_tokens=ready.suite.generation.max_new_tokens,
    )
    known: dict[tuple[str, ...], Conversation] = {}
    with model_worker(backend, load) as worker:
        prompts = tuple(_whole(prompt, ready, worker, known) for prompt in asked)
    digest = hashlib.sha256(write(prompts).encode()).hexdigest()
    return replace(ready, prompts=replace(ready.prompts, prompts=prompts, sha256=digest))


def _whole(
    prompt: Prompt, ready: Prepared, worker: ModelWorker, known: dict[tuple[str, ...], Conversation]
) -> Prompt:
    if not prompt.earlier:
        return prompt
    turns: Conversation = ()
    for number, question in enumerate(prompt.earlier, start=1):
        questions = prompt.earlier[:number]
        if questions not in known:
            so_far = (*turns, Turn(role="user", content=question))
            said = _answer(so_far, ready, worker)
            known[questions] = (*so_far, Turn(role="assistant", content=said))
        turns = known[questions]
    turns = (*turns, Turn(role="user", content=prompt.text))
    return prompt.model_copy(update={"text": as_text(turns), "messages": turns, "earlier": ()})


def _answer(turns: Conversation, ready: Prepared, worker: ModelWorker) -> str:
    prompt = Prompt(id="turn", text=as_text(turns), messages=turns)
    worker.ask(Encode(prompts=[prompt], chat=ready.chat))
    worker.ask(Ready(gate_model=ready.baseline_model))
    worker.ask(Request(prompt_id=prompt.id, gate=_GATE))
    [said] = worker.ask(Settle()).requests
    return said.text or ""
