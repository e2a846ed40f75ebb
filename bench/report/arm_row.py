"""The row of an arm: what it did, what that cost, and the verdict on it; the same fields in every file.

Joules follow the rule of `analysis.arms.level`; a repeat is every prompt once, or as often as the batch says.
What each field is stands beside its type, and is what `bench export` says of its column.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any

from bench.report.names import arm_label

Count = int | None
Number = float | None
Words = str | None


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One backend and gate."""

    backend: str
    gate: str
    a_a: bool
    blocks: Annotated[int, "Whole blocks behind the saving; a claim needs 5."] = 0
    windows: Annotated[int, "Windows that count."]
    void_windows: Annotated[int, "Windows that do not."]
    left_out_windows: Annotated[int, "Windows that failed a declared gate."]
    repeats: Annotated[int, "Repeats of the prompts in all windows."]
    prompts: Annotated[int, "Prompts of a repeat."]
    batch: Annotated[Count, "Equal requests at a time; null where they differ by prompt."]
    served: Annotated[bool, "A server ran it: equal work is not shown."]
    routed_to_small: Annotated[int, "Prompts that went to another model than the baseline's."]
    seconds_per_repeat_s: Annotated[float, "Seconds per repeat."]
    prompt_tokens_per_repeat: Annotated[float, "Tokens of the prompts per repeat, those that were fed."]
    cached_tokens_per_repeat: Annotated[
        float, "Prompt tokens that were computed once, outside every window; not among those of the prompts."
    ] = 0.0
    generated_tokens_per_repeat: Annotated[float, "Generated tokens per repeat."]
    reasoning_tokens_per_repeat: Annotated[
        Number, "Of these, tokens of thinking aloud; null where the model has no marks of it."
    ]
    forwards_per_repeat: Annotated[float, "Decode forwards per repeat."]
    prefill_tokens_per_s: Annotated[Number, "Prompt tokens per second of prefill."]
    decode_tokens_per_s: Annotated[Number, "Forwards per second of decoding, times the batch."]
    first_token_s: Annotated[Number, "Median seconds to the first token, timed outside all windows."]
    token_p50_s: Annotated[Number, "Median seconds between tokens, each of them waited for."]
    token_p95_s: Annotated[Number, "95th percentile; null below 20 timed tokens."]
    token_p99_s: Annotated[Number, "99th percentile; null below 100 timed tokens."]
    timed_tokens: Annotated[int, "Seconds between tokens behind these; 0 where none was timed."]
    device_peak_bytes: Annotated[Count, "Most memory held on the device, all loaded models in it."]
    process_peak_bytes: Annotated[Count, "Most memory of the worker's process, loading included."]
    kind: Annotated[str, "measured, modelled, simulated, replayed, or none."]
    boundary: Annotated[str, "What the joules cover; never compare two boundaries."]
    grade: Annotated[Count, "Lowest grade of the windows, 0 to 4; null without joules."]
    grade_name: Annotated[str, "The grade in a word."]
    grade_reasons: Annotated[tuple[str, ...], "What keeps the grade from being higher, parted by semicolons."]
    gross_per_repeat_j: Annotated[Number, "Joules per repeat; of a baseline over both its copies."]
    bound_per_repeat_j: Annotated[Number, "How far they can be off, if the source is right."]
    net_per_repeat_j: Annotated[Number, "Joules above idle per repeat."]
    joules_per_token: Annotated[Number, "Joules per generated token, prompts included."]
    joules_per_token_low: Annotated[Number, "Lower end of its 95 % interval; null below 3 blocks."]
    joules_per_token_high: Annotated[Number, "Upper end."]
    joules_per_total_token: Annotated[Number, "Joules per token of prompt and answer together."]
    tokens_saved_percent: Annotated[Number, "Generated tokens fewer than those of `against`."]
    bytes_saved_percent: Annotated[Number, "Bytes fewer, counted from shapes; not measured."]
    token_match_percent: Annotated[Number, "Generated tokens equal to those of `against`: quality."]
    same_answers: Annotated[Count, "Prompts whose answers are those of `against`, token by token."]
    against: Annotated[Words, "What it is compared with; null for the first baseline."] = None
    joules_saved_percent: Annotated[Number, "Joules fewer than `against` for the same prompts."] = None
    saved_low_percent: Annotated[Number, "Lower end of its 95 % interval; null below five blocks."] = None
    saved_high_percent: Annotated[Number, "Upper end."] = None
    noise_percent: Annotated[Number, "Noise (A/A, 95 %): what the baseline saves against itself."] = None
    p: Annotated[Number, "One-sided p of lying beyond the threshold, of this configuration alone."] = None
    p_holm: Annotated[Number, "The same, corrected for all comparisons of the run."] = None
    lag_1: Annotated[Number, "Correlation of a block's log-ratio with the next one's."] = None
    saved_low_ar1_percent: Annotated[Number, "Lower end, if blocks follow each other like that."] = None
    saved_high_ar1_percent: Annotated[Number, "Upper end; the verdict rests on the plain interval."] = None
    verdict: Annotated[Words, "saves, costs, inconclusive, ...; null for the first baseline."] = None
    reason: Annotated[Words, "Why this verdict."] = None
    blocks_to_settle: Annotated[Count, "Blocks that would settle an inconclusive verdict."] = None
    control: Annotated[Words, "The random gate that leaves out as much, where there is one."] = None
    beyond_control_percent: Annotated[Number, "Joules fewer than the control's."] = None
    beyond_control_low_percent: Annotated[Number, "Lower end of its 95 % interval."] = None
    beyond_control_high_percent: Annotated[Number, "Upper end."] = None
    beyond_control_verdict: Annotated[Words, "The verdict beside the control."] = None
    beyond_control_blocks_to_settle: Annotated[Count, "Blocks that would settle that one."] = None

    @property
    def label(self) -> str:
        """The name of the arm in every analysis, such as `torch (A/A)`."""
        return arm_label((self.backend, self.gate, self.a_a))

    def named(self) -> dict[str, Any]:
        """All fields, after the name; the same names in every file."""
        return {"configuration": self.label, **asdict(self)}


COLUMNS = ("configuration", *(field.name for field in fields(ArmRow)))
