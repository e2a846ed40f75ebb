"""What a request is made of on a loaded model: its prefill, and what is worth knowing of it afterwards."""

from __future__ import annotations

import resource
import sys
from dataclasses import replace

from backends.abilities import HasBatches, HasExperts
from backends.base import Backend, Generated, Session
from backends.cut import Cut
from backends.ledger import request_ledger
from bench.errors import UserError
from bench.run.observed import Settled
from bench.run.workers import encoding


def prefill(model: Backend, ids: list[int], cut: Cut, *, batch: int) -> Session:
    """Queue the prefill of one request, or of several equal ones.

    Raises:
        UserError: the backend runs one request at a time.
    """
    if batch == 1:
        return model.prefill(ids, cut)
    if not isinstance(model, HasBatches):
        raise UserError(f"{model.info.backend} runs one request at a time, not {batch}", fix="set batch = 1")
    return model.prefill_batch(ids, cut, batch=batch)


def settled(model: Backend, cut: Cut, ids: list[int], generated: Generated) -> Settled:
    """Text, cut and counted work of a request that is over."""
    told = Settled(
        text=model.decode_text(generated.tokens),
        cut=cut.stated,
        reasoning_tokens=encoding.reasoning_tokens(model, ids, generated.tokens),
    )
    shape = model.shape(cut)
    if shape is None:  # what can't be counted stays unknown; tokens, seconds and joules need no count
        return told
    experts = model.experts_of_prompt(ids, cut) if isinstance(model, HasExperts) else ()
    work = request_ledger(shape, cut, prompt_tokens=len(ids), generated=generated, experts=experts)
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
