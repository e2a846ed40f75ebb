"""What is seen of a window, of a request and of two backends: the parts of which records are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

NOT_SHOWN = "equal work not shown"
"""Of what a server runs."""


@dataclass(frozen=True, kw_only=True)
class Joules:
    """Energy of one window, as attributed from the readings of one source."""

    total_j: float | None
    """Sum over the rails of the boundary; null when one of them is missing."""
    bound_j: float | None
    """The true total lies within `total_j` plus or minus this, as far as the source is right."""
    rails_j: dict[str, float | None]
    readings: int
    """Readings that overlap the window."""
    kind: str
    """measured, modelled, simulated or replayed: only the first is a measurement of this run."""
    boundary: str
    """What the total covers; totals of different boundaries are never compared."""
    grade: int
    """0 (not a measurement of this run) to 4 (external meter); see `energy/grade.py`."""
    grade_name: str
    grade_reasons: list[str]
    """What keeps the grade from being higher."""
    withheld: str | None = None
    """Why there is no total, if there is none."""
    thermal: str | None = None
    """Worst thermal pressure within the window, in the meter's word; null if no meter says."""

    @property
    def share_uncertain(self) -> float:
        """The bound as a share of the total; infinite where there is none."""
        return self.bound_j / self.total_j if self.bound_j is not None and self.total_j else math.inf


@dataclass(frozen=True, kw_only=True)
class RankWindow:
    """What another rank than the first drew in the window of a slot."""

    rank: int
    start_s: float
    """On the clock of its own machine, like the end: right after the barrier that opens the window."""
    end_s: float
    skew_s: float
    """How far apart a barrier lets two ranks go: half of the longest of many before the first slot."""
    meter: str
    """Folder of its stream, in the session's."""
    joules: Joules


@dataclass(frozen=True, kw_only=True)
class SameLogits:
    """Two backends on one prompt; see `bench.run.workers.equal_work`."""

    model: str
    backends: tuple[str, str]
    probe_tokens: int
    """Of the prompt."""
    same_ids: bool
    logit_difference: float | None
    """Largest absolute difference over the compared positions and the whole vocabulary; null where one gives
    no logits: equal work is then shown by token ids and forwards, and quality by the token match."""
    tolerance: float
    """Of `apart`; in runs of versions without it, of `logit_difference`."""
    prompt: str = ""
    """The longest one."""
    apart: float | None = None
    """How far apart the logits are as they are loaded, as a share of their size."""
    same_tokens: float | None = None
    """Share of the compared positions with the same most likely token."""
    float32_layers: int | None = None
    """So many of the first layers were compared in float32 too; null where the model is in float32."""
    float32_apart: float | None = None
    float32_tolerance: float = 0.0
    rounding: tuple[float, float] | None = None
    """Of each backend: how far apart it is from itself in float32; null unless that was the whole model."""
    rounded: float | None = None
    """How far the logits move, in float32 on the CPU, where what goes into every product has the bits of
    TF32; the tolerances are a multiple of such figures. Null: not measured, and they are constants."""
    from_cpu: tuple[float, float] | None = None
    """Of each backend in float32: how far it is from float32 on the CPU; null like `rounded`."""
    cause: str = ""
    """What a difference that float32 does not explain comes and goes with."""

    @property
    def holds(self) -> bool:
        """Whether the two may be compared."""
        in_float32 = self.float32_apart is None or self.float32_apart <= self.float32_tolerance
        far = (self.logit_difference or 0.0) if self.apart is None else self.apart
        return self.same_ids and far <= self.tolerance and in_float32


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a worker knows of a request as soon as it is answered."""

    model: str
    """Key of the model that the gate chose."""
    prompt_tokens: int
    tokens: list[int]
    """New tokens; of each row of the batch."""
    forwards: int
    """Decode forwards, each for all rows."""
    start_s: float
    gated_s: float
    prefilled_s: float
    end_s: float
    batch: int = 1
    """Equal requests that ran at a time as one."""
    cached_tokens: int = 0
    """Of the prompt's tokens, those that were computed once before (`prompt_cache`), and not fed."""
    unlike_rows: int = 0
    """Rows whose tokens were not those of the first, as they should be."""
    rows: list[tuple[int, int]] | None = None
    """Of what a server answered: prompt tokens and new tokens of each row, which may differ; else null."""

    @property
    def served(self) -> bool:
        """Whether a server answered, so that equal work is not shown."""
        return self.rows is not None

    @property
    def all_prompt_tokens(self) -> int:
        """Of all rows, those that were fed."""
        if self.rows is not None:
            return sum(prompt for prompt, _ in self.rows)
        return self.batch * (self.prompt_tokens - self.cached_tokens)

    @property
    def all_new_tokens(self) -> int:
        """Of all rows."""
        if self.rows is not None:
            return sum(new for _, new in self.rows)
        return self.batch * len(self.tokens)

    @property
    def all_decoded_tokens(self) -> int:
        """Of all rows, those that decode forwards made."""
        if self.rows is not None:
            return sum(new - 1 for _, new in self.rows)
        return self.batch * self.forwards


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What of `Answered` a server's answer shows only once it is read, which is when its window is closed."""

    prompt_tokens: int
    tokens: list[int]
    """Made of pieces of text: they equal no token ids of any vocabulary."""
    forwards: int
    """New tokens after the first: a server does not say in how many forwards it made them."""
    rows: list[tuple[int, int]]
    """Prompt tokens and new tokens of each request that was sent."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """One request, timed token by token outside every window; null what the backend can't tell."""

    first_token_s: float | None
    """From the start of the request to its first token at the host: gate, prefill and one transfer."""
    token_s: list[float] | None
    """Between one token at the host and the next; with `lookup` or `draft` between forwards."""
    device_peak_bytes: int | None
    """Most memory that the library held on the device meanwhile, all loaded models included."""
    process_peak_bytes: int | None
    """Most memory of the worker's process so far, loading included; null where a server has the model."""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What a worker finds out about a request once its window is closed."""

    text: str | None = None
    """Like all that follows null in a slot that is void: it is asked for when the window is closed."""
    reasoning_tokens: int | None = None
    """New tokens between the marks of thinking aloud; null where the vocabulary has no such marks."""
    cut: dict[str, Any] | None = None
    """What was left out: the values of `backends.cut.Cut` that are not the default."""
    prefill_bytes: int | None = None
    """Weights and cache that an ideal kernel must read, from counted shapes; not measured traffic."""
    decode_bytes: int | None = None
    prefill_flops: int | None = None
    """A multiply-add counts as two."""
    decode_flops: int | None = None
    guessed_tokens: int | None = None
    """Tokens that were guessed and fed to be checked (`lookup`, `draft`); null where nothing guesses."""
    right_guesses: int | None = None
    """Of these, those that were right, and so needed no forward of their own."""
