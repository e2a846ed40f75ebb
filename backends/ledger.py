"""What a request has to read and multiply, from counted sizes. No measurement, no model.

Bytes are those that must be read once per forward by an ideal kernel: every matrix, and of the cache
every key and value that is attended to; weights once for all rows of a batch, the cache for each row.
Activations are left out; they are small. So are keys and values that a forward makes of latents and lets go:
the latents are read, and making them is flops.
Of experts those are read that a forward's tokens are sent to: for one token, or equal rows of it, as many as
the router picks; for a prompt they are counted.
A state that layers keep beside keys and values is read by every forward but the first; each number of a scan
is renewed by a multiply-add and read out by another, for every token; by the delta rule it is read twice.
Scores that are computed once more to choose the positions that stay are flops, and read nothing anew.
What a second model that guesses tokens reads and multiplies is added to the work of the one that checks;
of its experts, which nobody counts, those of one token.
Flops count a multiply-add as two. Two entries, one with the cut and one without, tell what the cut skips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backends.base import Generated, Used
from backends.cut import Cut
from backends.kv_policies import queries_looked_at
from backends.shape import NO_STATE, Attention, KeptState, Shape


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Work of one phase of one request."""

    forwards: int
    weight_bytes: int
    """Weights read: all of them in every forward, and an embedding row for every token."""
    kv_bytes: int
    """Keys, values and states read."""
    flops: int

    @property
    def bytes(self) -> int:
        """All bytes read."""
        return self.weight_bytes + self.kv_bytes

    def __add__(self, other: Phase) -> Phase:
        """The work of both."""
        return Phase(
            forwards=self.forwards + other.forwards,
            weight_bytes=self.weight_bytes + other.weight_bytes,
            kv_bytes=self.kv_bytes + other.kv_bytes,
            flops=self.flops + other.flops,
        )


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Work of one request by phase."""

    prefill: Phase
    decode: Phase


def request_ledger(
    shape: Shape,
    cut: Cut,
    *,
    prompt_tokens: int,
    generated: Generated,
    experts: Sequence[Sequence[int]] = (),
) -> Ledger:
    """Work of a request that ran: its forwards are those that were counted, for all rows of its batch.

    Args:
        shape: The model under `cut`, from `Backend.shape(cut)`.
        cut: For the number of positions that stay in the cache.
        prompt_tokens: Tokens of the prompt.
        generated: What `decode` returned.
        experts: That each forward of the prompt read, layer by layer (`HasExperts.experts_of_prompt`).
    """
    kept, batch, used = cut.kept_positions(prompt_tokens), generated.batch, generated.used
    bounded = cut.kv_bounded and cut.kv_keep < 1
    prefix = used.prefix if used else 0
    chunks, state = chunks_fed(used, prompt_tokens), used.state if used else NO_STATE
    prefill = prefill_work(shape, chunks, batch=batch, experts=experts, prefix=prefix, state=state)
    decode = decode_work(shape, kept, _tokens_fed(generated, bounded), batch=batch, state=state)
    if cut.kv_direct:
        decode = _rebuilding(decode, shape, cut, range(kept, kept + generated.forwards), batch=batch)
    looked_at = queries_looked_at(cut, prompt_tokens)
    again = generated.forwards * (kept + 1) if bounded and looked_at else 0
    ledger = Ledger(
        prefill=_with_choice(prefill, shape, _seen(prompt_tokens - looked_at, looked_at, None)),
        decode=_with_choice(decode, shape, again),
    )
    return ledger if shape.draft is None else _with_draft(ledger, shape.draft, prompt_tokens, generated)


def _with_draft(ledger: Ledger, shape: Shape, prompt_tokens: int, generated: Generated) -> Ledger:
    """With what the model that guesses, of this shape, read and multiplied."""
    used = generated.draft_used
    prefill = prefill_work(shape, chunks_fed(used, prompt_tokens), prefix=used.prefix if used else 0)
    decode = decode_work(shape, prompt_tokens, list(generated.draft_fed))
    return Ledger(prefill=ledger.prefill + prefill, decode=ledger.decode + decode)


def chunks_fed(used: Used | None, prompt_tokens: int) -> tuple[int, ...]:
    """Prompt tokens of each forward of a prefill; one forward where nobody counted them."""
    return used.chunks if used and used.chunks else (prompt_tokens,)


def prefill_work(
    shape: Shape,
    chunks: Sequence[int],
    *,
    batch: int = 1,
    experts: Sequence[Sequence[int]] = (),
    prefix: int = 0,
    state: KeptState = NO_STATE,
) -> Phase:
    """Forwards of the prompt, of so many tokens each, with logits at the very last token only.

    Before them the cache holds `prefix` positions, which were computed once and are read.
    `experts`: as of `request_ledger`; where nobody counted them, those of one token, the fewest there can be.
    `state`: that a row's layers keep.
    """
    fed = [(tokens, tokens) for tokens in chunks]
    work = _work(shape, prefix, fed, batch=batch, logits=None, state=state)
    routing = (layer for layer in shape.layers if layer.routed)
    more = sum(
        layer.more_expert_bytes(read)
        for layer, forwards in zip(routing, experts, strict=bool(experts))
        for read in forwards
    )
    return replace(work, weight_bytes=work.weight_bytes + more)


def decode_work(
    shape: Shape, kept: int, fed: list[tuple[int, int]], *, batch: int = 1, state: KeptState = NO_STATE
) -> Phase:
    """Forwards after a prefill that left `kept` positions in the cache.

    Args:
        shape: The model under the cut.
        kept: Positions of the prompt in the cache.
        fed: For each forward, tokens fed and how many of them stay in the cache.
        batch: Rows in each forward.
        state: That a row's layers keep.
    """
    return _work(shape, kept, fed, batch=batch, logits=len(fed), state=state)


def _work(
    shape: Shape,
    kept: int,
    fed: Sequence[tuple[int, int]],
    *,
    batch: int,
    logits: int | None,
    state: KeptState,
) -> Phase:
    """Weights are read once a forward, whatever the batch; keys and values once a row.

    `logits`: forwards that read the output head, for all their tokens; None: the last one, for its last.
    """
    tokens = flops = 0
    kv_bytes = 0.0
    cached = kept
    for new, stay in fed:
        tokens += new
        kv_bytes += state.bytes if cached else 0
        for attention, count in shape.attentions.items():
            most = cached + new if attention.window is None else attention.window + new - 1
            each = shape.read_bytes(attention, stored=bool(cached))
            kv_bytes += each * count * min(cached + new, most)
            flops += count * _flops(attention, cached, new)
        cached += stay
    heads, said = (1, 1) if logits is None else (logits, tokens)
    layers_bytes = len(fed) * (shape.weight_bytes - shape.head_bytes)
    flops += 2 * (shape.weights * tokens + shape.head_weights * said)
    flops += 2 * shape.scan_products * state.numbers * tokens
    return Phase(
        forwards=len(fed),
        weight_bytes=layers_bytes + heads * shape.head_bytes + batch * tokens * shape.row_bytes,
        kv_bytes=batch * round(kv_bytes),
        flops=batch * flops,
    )


def _seen(cached: int, new: int, window: int | None) -> int:
    """Pairs of a new token and a position that it sees in one layer: all up to itself, or a window."""
    whole = new * cached + new * (new + 1) // 2
    if window is None or cached + new <= window:
        return whole
    return sum(min(cached + n, window) for n in range(1, new + 1))


def _flops(attention: Attention, cached: int, new: int) -> int:
    """Of one layer's attention, beyond the matrices that its new tokens are multiplied with anyway."""
    pairs, latent = _seen(cached, new, attention.window), attention.latent
    if latent is None:
        return 2 * attention.products * pairs
    if new == 1 and latent.products is not None:
        return 2 * latent.products * pairs
    return 2 * (attention.products * pairs + latent.weights * cached)


def _with_choice(work: Phase, shape: Shape, pairs: int) -> Phase:
    """With the scores of so many pairs in every layer that attends, once for all rows of a batch."""
    products = sum(count * attention.products for attention, count in shape.attentions.items())
    return replace(work, flops=work.flops + products * pairs)  # a score is half of them, at two flops each


def _rebuilding(work: Phase, shape: Shape, cut: Cut, held: Sequence[int], *, batch: int) -> Phase:
    """Steps after so many positions each, of which all but the newest are rebuilt.

    The stream is read instead of their keys and values. Weights are not read once more: a kernel could take
    the old positions and the new one together.
    """
    every, stream_bytes = shape.attentions, shape.width * shape.number_bytes
    streams = 1 if cut.kv_direct == "h0" else every.total()
    read, flops = 0, 0
    for old in (max(0, positions - cut.kv_hot) for positions in held):
        read += old * (streams * stream_bytes - shape.position_bytes)
        if cut.kv_direct == "h0":
            flops += 2 * shape.weights * old
            flops += sum(count * _flops(attention, 0, old) for attention, count in every.items())
        else:
            flops += 2 * shape.width * shape.position_numbers * old
    return replace(work, kv_bytes=work.kv_bytes + batch * read, flops=work.flops + batch * flops)


def _tokens_fed(generated: Generated, bounded: bool) -> list[tuple[int, int]]:
    """For each forward, tokens fed and how many more positions the cache then holds."""
    if not generated.drafts:
        return [(1, 0 if bounded else 1)] * generated.forwards
    return [(1 + guessed, 1 + right) for guessed, right in generated.drafts]
