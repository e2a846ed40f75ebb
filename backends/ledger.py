"""What a request has to read and multiply, from counted sizes. No measurement, no model.

Bytes are those that must be read once per forward by an ideal kernel: every matrix, and of the cache
every key and value that is attended to. Activations are left out; for one sequence they are small.
Flops count a multiply-add as two. Two entries, one with the cut and one without, tell what the cut skips.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.base import Generated
from backends.cut import Cut
from backends.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Work of one phase of one request."""

    forwards: int
    weight_bytes: int
    """Weights read: all of them in every forward, and an embedding row for every token."""
    kv_bytes: int
    """Keys and values read."""
    flops: int

    @property
    def bytes(self) -> int:
        """All bytes read."""
        return self.weight_bytes + self.kv_bytes


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Work of one request by phase."""

    prefill: Phase
    decode: Phase


def request_ledger(shape: Shape, cut: Cut, *, prompt_tokens: int, generated: Generated) -> Ledger:
    """Work of a request that ran: its forwards are those that were counted.

    Args:
        shape: The model under `cut`, from `Backend.shape(cut)`.
        cut: For the number of positions that stay in the cache.
        prompt_tokens: Tokens of the prompt.
        generated: What `decode` returned.
    """
    kept = cut.kept_positions(prompt_tokens)
    fed = _tokens_fed(generated)
    return Ledger(prefill=prefill_work(shape, prompt_tokens), decode=decode_work(shape, kept, fed))


def prefill_work(shape: Shape, prompt_tokens: int) -> Phase:
    """One forward of the whole prompt, with logits at its last token only."""
    layers = shape.windows.total()
    pairs = sum(count * _seen(0, prompt_tokens, window) for window, count in shape.windows.items())
    return Phase(
        forwards=1,
        weight_bytes=shape.weight_bytes + prompt_tokens * shape.row_bytes,
        kv_bytes=layers * shape.position_bytes * prompt_tokens,
        flops=2 * shape.layer_weights * prompt_tokens + 2 * shape.head_weights + _attention(shape, pairs),
    )


def decode_work(shape: Shape, kept: int, fed: list[tuple[int, int]]) -> Phase:
    """Forwards after a prefill that left `kept` positions in the cache.

    Args:
        shape: The model under the cut.
        kept: Positions of the prompt in the cache.
        fed: For each forward, tokens fed and how many of them stay in the cache.
    """
    tokens = positions = pairs = 0
    cached = kept
    for new, stay in fed:
        tokens += new
        for window, count in shape.windows.items():
            most = cached + new if window is None else window + new - 1
            positions += count * min(cached + new, most)
            pairs += count * _seen(cached, new, window)
        cached += stay
    return Phase(
        forwards=len(fed),
        weight_bytes=len(fed) * shape.weight_bytes + tokens * shape.row_bytes,
        kv_bytes=shape.position_bytes * positions,
        flops=2 * (shape.layer_weights + shape.head_weights) * tokens + _attention(shape, pairs),
    )


def _seen(cached: int, new: int, window: int | None) -> int:
    """Pairs of a new token and a position that it sees in one layer: all up to itself, or a window."""
    whole = new * cached + new * (new + 1) // 2
    if window is None or cached + new <= window:
        return whole
    return sum(min(cached + n, window) for n in range(1, new + 1))


def _attention(shape: Shape, pairs: int) -> int:
    """Flops of attention over so many pairs of a query and a position: a score and a weighted sum."""
    return 4 * shape.heads * shape.head_dim * pairs


def _tokens_fed(generated: Generated) -> list[tuple[int, int]]:
    if not generated.drafts:
        return [(1, 1)] * generated.forwards
    return [(1 + guessed, 1 + right) for guessed, right in generated.drafts]
