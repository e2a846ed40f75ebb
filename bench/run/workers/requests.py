"""What a request is made of on a loaded model: its prefill, and what is worth knowing of it afterwards."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from backends.abilities import HasBatches, HasExperts, HasPromptCache, Serves
from backends.base import Backend, Generated, Session
from backends.cut import Cut
from backends.ledger import request_ledger
from backends.loop import shared_beginning
from bench.errors import UserError
from bench.run.observed import Answered, Counted, Settled
from bench.run.workers import encoding
from bench.suite.gates.base import Budget


@dataclass(frozen=True, kw_only=True)
class RequestAsked:
    """A request, with all that decides its work."""

    budget: Budget
    ids: list[int]
    max_new_tokens: int
    ignore_eos: bool
    batch: int
    prefix: int = 0
    """Tokens with which all prompts begin, that were computed before."""


def keep_prefix(model: Backend, prompts: Collection[list[int]], cut: Cut) -> int:
    """Compute once what all prompts begin with; how many tokens that is.

    Raises:
        UserError: the backend can't, or the prompts have nothing in common.
    """
    if not isinstance(model, HasPromptCache):
        raise UserError(f"{model.info.backend} has no prompt_cache", fix="leave it out for this backend")
    first, *others = prompts
    shared = min((shared_beginning(first, other) for other in others), default=0)
    shared = min(shared, *(len(ids) - 1 for ids in prompts))  # the last token has to be fed
    if not shared:
        why = "begin with no common token" if others else "are only one"
        raise UserError(f"prompt_cache: the prompts {why}, so nothing is shared", fix="leave it out")
    model.keep_prefix(first[:shared], cut)
    return shared


def prefill(model: Backend, ids: list[int], cut: Cut, *, batch: int, prefix: int = 0) -> Session:
    """Queue the prefill of one request, or of several equal ones, after a `prefix` that was kept.

    Raises:
        UserError: the backend runs one request at a time.
    """
    if prefix and isinstance(model, HasPromptCache):
        return model.prefill_batch(ids, cut, batch=batch, prefix=prefix)
    if batch == 1:
        return model.prefill(ids, cut)
    if not isinstance(model, HasBatches):
        raise UserError(f"{model.info.backend} runs one request at a time, not {batch}", fix="set batch = 1")
    return model.prefill_batch(ids, cut, batch=batch)


def answer(model: Backend, asked: RequestAsked, *, start_s: float) -> tuple[Answered, Any]:
    """Run a request, with the instants between its phases; and what `settled` needs of it.

    The prefill of a server's model ends with the first bytes of its answer; what they say is read later.
    """
    gated_s = time.perf_counter()
    generated = None
    if isinstance(model, Serves):
        firsts_s: list[float] = []
        made = model.ask(
            asked.ids,
            max_new_tokens=asked.max_new_tokens,
            ignore_eos=asked.ignore_eos,
            batch=asked.batch,
            first=lambda: firsts_s.append(time.perf_counter()),
        )
        end_s = time.perf_counter()
        prefilled_s = firsts_s[0] if firsts_s else end_s
    else:
        session = prefill(model, asked.ids, asked.budget.cut, batch=asked.batch, prefix=asked.prefix)
        model.synchronize()
        prefilled_s = time.perf_counter()
        made = generated = model.decode(
            session, max_new_tokens=asked.max_new_tokens, ignore_eos=asked.ignore_eos
        )
        model.synchronize()
        end_s = time.perf_counter()
    answered = Answered(
        model=asked.budget.model,
        prompt_tokens=len(asked.ids) if generated else 0,
        tokens=generated.tokens if generated else [],
        forwards=generated.forwards if generated else 0,
        start_s=start_s,
        gated_s=gated_s,
        prefilled_s=prefilled_s,
        end_s=end_s,
        batch=asked.batch,
        cached_tokens=asked.prefix,
        unlike_rows=generated.unlike_rows if generated else 0,
    )
    return answered, made


def settled(model: Backend, asked: RequestAsked, made: Any) -> tuple[Settled, Counted | None]:
    """Text, cut and work of a request that is over; of a server's model its counts too.

    Raises:
        RequestError: what a server sent is no whole answer, or its counts can't be true.
    """
    if isinstance(model, Serves):
        reply = model.read(made)
        counts = Counted(
            prompt_tokens=reply.rows[0][0],
            tokens=reply.tokens,
            forwards=len(reply.tokens) - 1,
            rows=reply.rows,
        )
        return Settled(text=reply.text, cut=asked.budget.cut.stated), counts
    return _settled(model, asked, made), None


def _settled(model: Backend, asked: RequestAsked, generated: Generated) -> Settled:
    cut = asked.budget.cut
    told = Settled(
        text=model.decode_text(generated.tokens),
        cut=cut.stated,
        reasoning_tokens=encoding.reasoning_tokens(model, asked.ids, generated.tokens),
    )
    if cut.guesses:
        guessed, right = (sum(counts) for counts in zip((0, 0), *generated.drafts, strict=True))
        told = replace(told, guessed_tokens=guessed, right_guesses=right)
    shape = model.shape(cut)
    if shape is None:  # what can't be counted stays unknown; tokens, seconds and joules need no count
        return told
    experts = (
        model.experts_of_prompt(asked.ids, cut, prefix=asked.prefix) if isinstance(model, HasExperts) else ()
    )
    work = request_ledger(shape, cut, prompt_tokens=len(asked.ids), generated=generated, experts=experts)
    return replace(
        told,
        prefill_bytes=work.prefill.bytes,
        decode_bytes=work.decode.bytes,
        prefill_flops=work.prefill.flops,
        decode_flops=work.decode.flops,
    )


def peak_bytes() -> int:
    """Most memory of this process so far; macOS counts it in bytes, Linux in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
