"""Did a cut take effect? Published cuts did not, and their equal perplexity was read as "no loss".

A cut that leaves work out changes the logits, and what was counted equals what was asked for. If either
fails the outcome is `gate inactive`, and no saving and no quality is claimed. Two must not change a token:
`lookup` and `draft` are effective if they saved a forward, `kv_direct` if something was rebuilt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.base import Generated, Used
from backends.cut import FULL, Cut


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a cut took effect, and why not."""

    outcome: Literal["effective", "gate inactive"]
    reason: str
    """Empty if effective; else what was asked for and what was counted."""

    @property
    def effective(self) -> bool:
        """Whether figures under this cut are figures of the cut."""
        return self.outcome == "effective"


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One prompt run with and without the cut, by one backend."""

    full: Generated
    cut: Generated
    full_logits: NDArray[np.float32]
    """`Backend.logits_after` the first tokens of `full`."""
    cut_logits: NDArray[np.float32]
    """The same under the cut."""


def judge(cut: Cut, seen: Observed) -> Verdict:
    """Whether `cut` took effect on a prompt."""
    reason = _nothing_asked(cut) or _miscounted(cut, seen) or _unchanged(cut, seen) or _guessed(cut, seen)
    return Verdict(outcome="gate inactive" if reason else "effective", reason=reason)


def _nothing_asked(cut: Cut) -> str:
    return "the cut leaves nothing out" if cut.is_full else ""


def _miscounted(cut: Cut, seen: Observed) -> str:
    """The first count that differs from the request."""
    full, used = seen.full.used, seen.cut.used
    if full is None or used is None:
        return "the backend runs no model, so nothing was counted"
    # an MLP is cut only where it is known, and then it is counted
    pairs = zip(used.mlp_units or (), full.mlp_units or (), strict=True)
    for layer, (units, whole) in enumerate(pairs):
        asked = cut.units_of(layer, whole)
        if units != asked:
            return f"{asked} of {whole} MLP units were asked for, but layer {layer} used {units}"
    # without a cut a sliding window holds fewer positions than the prompt has, and a state holds none
    for layer, (held, whole) in enumerate(zip(used.cache_lengths, full.cache_lengths, strict=True)):
        asked = cut.positions_of(layer, whole) if whole else 0
        if held != asked:
            return f"{asked} of {whole} cache positions were asked for, but layer {layer} held {held}"
    in_cache = _rebuilt(cut, seen) or _outgrown(cut, seen) or _other_bits(cut, full, used)
    return in_cache or _same_weights(cut, full, used)


def _outgrown(cut: Cut, seen: Observed) -> str:
    """A layer whose bounded cache holds more at the end than after the prefill."""
    if not (cut.kv_bounded and cut.kv_keep < 1) or seen.cut.used is None:
        return ""
    pairs = zip(seen.cut.cache_lengths, seen.cut.used.cache_lengths, strict=True)
    for layer, (held, kept) in enumerate(pairs):
        if held != kept:
            return f"{kept} cache positions were asked for throughout, but layer {layer} ended with {held}"
    return ""


def _rebuilt(cut: Cut, seen: Observed) -> str:
    if cut.kv_direct and not seen.cut.rebuilt_bytes:
        return f"no position is older than the newest {cut.kv_hot} (kv_hot), so nothing was rebuilt"
    return ""


def _other_bits(cut: Cut, full: Used, used: Used) -> str:
    if used.cache_bits != cut.cache_bits:
        return f"{cut.cache_bits} were asked for, but the cache has {used.cache_bits or 'those as loaded'}"
    if cut.cache_bits and (used.cache_bytes or 0) >= (full.cache_bytes or 1):
        return f"the cache held {used.cache_bytes} bytes, without the cut {full.cache_bytes}"
    return ""


def _same_weights(cut: Cut, full: Used, used: Used) -> str:
    if used.weight_bytes is None or full.weight_bytes is None:
        return ""
    if cut.reads_less and used.weight_bytes >= full.weight_bytes:
        return f"a forward read {used.weight_bytes} bytes of weights, without the cut {full.weight_bytes}"
    held, whole = used.held_bytes, full.held_bytes
    if cut.holds_less and held is not None and whole is not None and held >= whole:
        return f"{held} bytes of weights were in memory, without the cut {whole}"
    return ""


def _unchanged(cut: Cut, seen: Observed) -> str:
    if cut.weights == FULL and not cut.changes_cache:
        return ""
    if np.array_equal(seen.full_logits, seen.cut_logits):
        return "the logits are the same with and without the cut, so the same was computed"
    return ""


def _guessed(cut: Cut, seen: Observed) -> str:
    guesses = " and ".join(cut.guesses)
    exact = guesses or ("kv_direct" if cut.kv_direct else "")
    if exact and seen.cut.tokens != seen.full.tokens and cut.weights == FULL and not cut.changes_cache:
        return f"{exact} changed the tokens, which must not be"
    if guesses and seen.cut.forwards >= len(seen.cut.tokens) - 1:
        made = len(seen.cut.tokens)
        return f"{guesses} saved no forward: {seen.cut.forwards} forwards for {made} generated tokens"
    return ""
