"""The row of an arm: what it did, what that cost, and the verdict on it; the same fields in every file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from bench.report.names import arm_label


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One backend and gate."""

    backend: str
    gate: str
    a_a: bool
    prompts: int
    batch: int | None
    """Equal requests that ran at a time; None where they differ by prompt."""
    routed_to_small: int
    """Prompts that the gate sent to another model than the ungated arm uses."""
    repeats: int
    windows: int
    void_windows: int
    left_out_windows: int
    """Those that failed a declared gate: no verdict rests on them."""
    seconds_per_repeat_s: float
    """A repeat is every prompt once, or as often as the batch says."""
    prompt_tokens_per_repeat: float
    generated_tokens_per_repeat: float
    forwards_per_repeat: float
    """Decode forwards."""
    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None
    first_token_s: float | None
    """Median over the timed prompts; like what follows from a pass of its own, outside every window."""
    token_p50_s: float | None
    """Seconds between tokens: the median,"""
    token_p95_s: float | None
    """and percentiles; None where too few tokens were timed for them."""
    token_p99_s: float | None
    timed_tokens: int
    device_peak_bytes: int | None
    """Most memory that the library held on the device; None where it does not say."""
    process_peak_bytes: int | None
    """Most memory of the process that ran it, with every model of the backend loaded."""
    kind: str
    boundary: str
    grade: int | None
    """Lowest of the arm's slots; see `energy/grade.py`."""
    grade_name: str
    grade_reasons: tuple[str, ...]
    """What keeps it from being higher."""
    gross_per_repeat_j: float | None
    """Like all joules of the row by the rule of `analysis.arms.level`; of a baseline over both its copies."""
    bound_per_repeat_j: float | None
    """How far the attribution can be off, if the source is right."""
    net_per_repeat_j: float | None
    """Idle power taken off; withheld when nothing is left or idle drifted too much to say."""
    joules_per_token: float | None
    joules_per_token_low: float | None
    """95 % interval over blocks; None below three."""
    joules_per_token_high: float | None
    joules_per_total_token: float | None
    """Prompt and new tokens together."""
    tokens_saved_percent: float | None
    bytes_saved_percent: float | None
    """Weights and cache that need not be read, counted from shapes; not measured traffic."""
    token_match_percent: float | None
    """Token match: share of new-token positions that equal those of `against`."""
    same_answers: int | None
    """Prompts whose new tokens are all those of `against`."""
    joules_saved_percent: float | None = None
    """From the geometric mean over blocks of the ratio of joules."""
    saved_low_percent: float | None = None
    """95 % interval; None below five blocks."""
    saved_high_percent: float | None = None
    noise_percent: float | None = None
    """What the ungated arm `saves` against itself: an effect inside it is not a saving."""
    p: float | None = None
    """One-sided p of lying beyond the threshold, of this arm alone."""
    p_holm: float | None = None
    """The same, corrected for all comparisons of the run (Holm)."""
    lag_1: float | None = None
    """Correlation of a block's log-ratio with the next one's; the interval takes it to be 0."""
    saved_low_ar1_percent: float | None = None
    """The 95 % interval if blocks followed each other with that correlation."""
    saved_high_ar1_percent: float | None = None
    blocks: int = 0
    """Blocks behind the figures; a claim needs 5."""
    verdict: str | None = None
    """saves, costs, equivalent, inconclusive, not enough blocks, not estimated, or gate inactive."""
    reason: str | None = None
    against: str | None = None
    """Label of the arm that it is held against."""
    blocks_to_settle: int | None = None
    """Blocks that would settle an inconclusive verdict; None if it is none, or if no number would do."""
    control: str | None = None
    """Label of the random arm that leaves out as much at other prompts."""
    beyond_control_percent: float | None = None
    """Joules that the arm saves against its control: what its choice of prompts is worth."""
    beyond_control_low_percent: float | None = None
    """95 % interval; None below five blocks."""
    beyond_control_high_percent: float | None = None
    beyond_control_verdict: str | None = None
    beyond_control_blocks_to_settle: int | None = None

    @property
    def label(self) -> str:
        """The name of the arm in every analysis, such as `torch (A/A)`."""
        return arm_label((self.backend, self.gate, self.a_a))

    def named(self) -> dict[str, Any]:
        """All fields, after the name; the same names in every file."""
        return {"configuration": self.label, **asdict(self)}


COLUMNS = ("configuration", *(field.name for field in fields(ArmRow)))
