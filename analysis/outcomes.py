"""The figures of the isolation tests, each with the rule by which it fits a memory-bound step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.regression import least_squares
from analysis.roofline import measured_stream
from analysis.rows import Step
from analysis.stats import Intervals, ratio, welch_interval
from analysis.values import Estimate, FloatArray, Withheld
from analysis.verdict import THRESHOLD

MEMORY_SHARE = 0.75
"""From this share of a step on, reading is what limits it."""
FLAT = 0.25
"""An elasticity below this is flat: doubling the cause adds less than a quarter to the time."""
NEAR_ONE = (0.75, 1.33)
MOST_TIMES = 100
"""Of the rows that a test has; more of them nobody would run."""
WHOLE = 1.1
"""A part of a step takes no longer than the step; a tenth is what windows of different minutes differ by."""
MASK_SLACK = 1 - THRESHOLD
"""A mask fails as a control where its joules would be a saving: the whole interval beyond the threshold."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one test."""

    test: str
    """`S2` to `S10`."""
    name: str
    figure: str
    """What `value` is."""
    rule: str
    """When it fits a memory-bound step."""
    value: Estimate | Withheld
    """A ratio or an elasticity; no unit."""
    fits_memory_bound: bool | None
    """Whether the whole interval keeps the rule, or the whole interval breaks it; None where it lies on both
    sides or is withheld."""
    times_to_settle: int | None = None
    """Of an interval on both sides: so many times the rows would narrow it to one; None: no number would."""


@dataclass(frozen=True, kw_only=True)
class _Test:
    test: str
    name: str
    figure: str
    measure: Callable[[Sequence[Step], float], Estimate | Withheld]
    """Rows and bandwidth (bytes per second) -> the figure."""
    least: float = -np.inf
    most: float = np.inf

    def run(self, steps: Sequence[Step], bandwidth: float) -> Outcome:
        value = self.measure(steps, bandwidth)
        return Outcome(
            test=self.test,
            name=self.name,
            figure=self.figure,
            rule=self._rule(),
            value=value,
            fits_memory_bound=None if isinstance(value, Withheld) else self._fits(value),
            times_to_settle=None if isinstance(value, Withheld) else self._times_to_settle(value),
        )

    def _times_to_settle(self, value: Estimate) -> int | None:
        """An interval narrows as the root of the rows; settled if the figure stays where it is."""
        inside = [bound for bound in (self.least, self.most) if value.low <= bound <= value.high]
        near = min((abs(value.point - bound) for bound in inside), default=0.0)
        times = (max(value.high - value.point, value.point - value.low) / near) ** 2 if near else np.inf
        return math.ceil(times) if times <= MOST_TIMES else None

    def _fits(self, value: Estimate) -> bool | None:
        if self.least <= value.low and value.high <= self.most:
            return True
        return None if value.high >= self.least and value.low <= self.most else False

    def _rule(self) -> str:
        if self.most == np.inf:
            return f"at least {self.least}"
        return f"at most {self.most}" if self.least == -np.inf else f"{self.least} to {self.most}"


def gather(steps: Sequence[Step], *, bandwidth_bytes_per_s: float | None) -> tuple[Outcome, ...]:
    """Outcome from every test that has rows; S1's bandwidth goes before the given one."""
    stream = measured_stream(steps)
    if not isinstance(stream, Withheld):
        bandwidth_bytes_per_s = stream.bandwidth_bytes_per_s.point
    if bandwidth_bytes_per_s is None:
        return ()
    present = {step.test for step in steps}
    return tuple(test.run(steps, bandwidth_bytes_per_s) for test in _TESTS if test.test in present)


def elasticity(steps: Sequence[Step], *, of: str, to: str) -> Estimate | Withheld:
    """Relative change of one field per relative change of another, from its lowest to its next value.

    Only the first step up counts: further out another limit may take over, which says nothing about
    the plain step.
    """
    levels = sorted({float(getattr(step, to)) for step in steps})
    if len(levels) < 2 or levels[0] <= 0:
        return Withheld(f"{to} takes fewer than two values above zero")
    low, high = (_logs([s for s in steps if getattr(s, to) == level], of) for level in levels[:2])
    if min(len(low), len(high)) < 2:
        return Withheld(f"fewer than two rows at a value of {to}")
    change = welch_interval(high, low)
    return _linear(change, span=levels[1] / levels[0] - 1)


def _linear(change: Intervals, *, span: float) -> Estimate:
    """Log-changes as relative ones, per relative change of the cause."""
    point, low, high = (float(np.expm1(value)) / span for value in change)
    return Estimate(point, low, high)


def _logs(steps: Sequence[Step], field: str) -> FloatArray:
    values = [getattr(step, field) for step in steps]
    return np.log(np.array([v for v in values if v is not None and v > 0], dtype=np.float64))


def _of(steps: Sequence[Step], test: str) -> list[Step]:
    return [step for step in steps if step.test == test and step.seconds_s > 0]


def _time_ratio(steps: Sequence[Step], test: str) -> Estimate | Withheld:
    """Seconds of a test's step over those of a decode step."""
    mine, decode = _logs(_of(steps, test), "seconds_s"), _logs(_of(steps, "S3"), "seconds_s")
    if min(len(mine), len(decode)) < 2:
        return Withheld(f"{test} and S3 need two timed rows each")
    return ratio(welch_interval(mine, decode))


def _slope(rows: Sequence[Step], field: str) -> Estimate | Withheld:
    """Seconds per unit of a field, over rows that differ in it; noise is taken as proportional."""
    columns = {"constant": np.ones(len(rows)), field: np.array([getattr(s, field) for s in rows], float)}
    fit = least_squares(np.array([s.seconds_s for s in rows]), columns, relative=True)
    return fit if isinstance(fit, Withheld) else fit.terms[field].value


def _bytes_share(steps: Sequence[Step], rows: Sequence[Step]) -> Estimate | Withheld:
    """Of a decode step, the part that the fitted line gives to its bytes; the rest is its intercept."""
    slope, decode = _slope(rows, "read_bytes"), _of(steps, "S3")
    if isinstance(slope, Withheld) or not decode:
        return slope if isinstance(slope, Withheld) else Withheld("S3's step is needed, to be a share of it")
    return slope.times(float(np.median([s.read_bytes / s.seconds_s for s in decode])))


def _scaled_slope(rows: Sequence[Step], bandwidth: float) -> Estimate | Withheld:
    """Seconds per byte in units of what the bandwidth allows; 1 where bytes cost what they should."""
    slope = _slope(rows, "read_bytes")
    return slope if isinstance(slope, Withheld) else slope.times(bandwidth)


def _slices(steps: Sequence[Step]) -> Estimate | Withheld:
    """Share of a step that scales with its bytes while its launches stay the same.

    Where launches hide behind the work, a thinner step may come down upon them and fall no further. So the
    first slice alone counts where it lies clearly above the line through all of them.
    """
    rows = [step for step in _of(steps, "S7") if step.layers == 1.0]
    levels = sorted({step.read_bytes for step in rows})
    through_all = _bytes_share(steps, rows)
    first = _bytes_share(steps, [step for step in rows if step.read_bytes in levels[-2:]])
    if isinstance(through_all, Estimate) and isinstance(first, Estimate) and first.low > through_all.high:
        return first
    return through_all


def _sustained(steps: Sequence[Step]) -> Estimate | Withheld:
    """Seconds per further token from batch 2 on, over those of a step at batch 1.

    A library takes another kernel for two tokens than for one, and may be slower by that alone. Arithmetic
    goes on costing with every token; the other kernel costs once.
    """
    rows = _of(steps, "S4")
    one, more = [s.seconds_s for s in rows if s.batch == 1], [s for s in rows if s.batch > 1]
    if not one or len({s.batch for s in more}) < 2:
        return Withheld("S4 needs batch 1 and two larger ones")
    slope = _slope(more, "batch")
    return slope if isinstance(slope, Withheld) else slope.times(1 / float(np.median(one)))


def _mask(steps: Sequence[Step]) -> Estimate | Withheld:
    masked, plain = (
        _logs([s for s in _of(steps, "S9") if s.changed is side], "joules_j") for side in (True, False)
    )
    if min(len(masked), len(plain)) < 2:
        return Withheld("S9 needs the joules of two masked and two plain steps")
    return ratio(welch_interval(masked, plain))


_TESTS = (
    _Test(
        test="S2",
        name="weights",
        figure="time of the weights alone over a step",
        measure=lambda steps, _: _time_ratio(steps, "S2"),
        least=MEMORY_SHARE,
        most=WHOLE,
    ),
    _Test(
        test="S4",
        name="batch",
        figure="rise of time from batch 1 to 2",
        measure=lambda steps, _: elasticity(_of(steps, "S4"), of="seconds_s", to="batch"),
        most=FLAT,
    ),
    _Test(
        test="S4",
        name="batch joules",
        figure="rise of joules from batch 1 to 2; at 0 joules per token fall as 1 / batch",
        measure=lambda steps, _: elasticity(_of(steps, "S4"), of="joules_j", to="batch"),
        most=FLAT,
    ),
    _Test(
        test="S4",
        name="each further token",
        figure="time of each further token from batch 2 on, over a step",
        measure=lambda steps, _: _sustained(steps),
        most=FLAT,
    ),
    _Test(
        test="S5",
        name="precision",
        figure="share of a step that scales with its bytes",
        measure=lambda steps, _: _bytes_share(steps, _of(steps, "S5")),
        least=MEMORY_SHARE,
    ),
    _Test(
        test="S6",
        name="context",
        figure="time per KV byte x bandwidth",
        measure=lambda steps, bandwidth: _scaled_slope(_of(steps, "S6"), bandwidth),
        least=NEAR_ONE[0],
        most=NEAR_ONE[1],
    ),
    _Test(
        test="S7",
        name="ablation",
        figure="gate efficiency: time saved per byte left out x bandwidth",
        measure=lambda steps, bandwidth: _scaled_slope(_of(steps, "S7"), bandwidth),
        least=NEAR_ONE[0],
        most=NEAR_ONE[1],
    ),
    _Test(
        test="S7",
        name="slices",
        figure="share of a step that scales with its bytes, the launches being the same",
        measure=lambda steps, _: _slices(steps),
        least=MEMORY_SHARE,
    ),
    _Test(
        test="S8",
        name="compute",
        figure="rise of time with as many flops again inside the step",
        measure=lambda steps, _: elasticity(_of(steps, "S8"), of="seconds_s", to="flops"),
        most=FLAT,
    ),
    _Test(
        test="S9",
        name="mask",
        figure="joules of a masked step over a plain one",
        measure=lambda steps, _: _mask(steps),
        least=MASK_SLACK,
    ),
    _Test(
        test="S10",
        name="launches",
        figure="time of the launches alone over a step",
        measure=lambda steps, _: _time_ratio(steps, "S10"),
        most=FLAT,
    ),
)
