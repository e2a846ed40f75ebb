"""Do the verdicts keep their promise? One table of simulated runs, judged by the product's own engine.

    python benchmarks/coverage.py [--experiments 2000] [--seed 1]

Each line is a setting of `benchmarks/draws.py`, whose runs are judged by `analysis.verdict`: the baseline is
both ungated copies, looks pay Pocock's level, gates are corrected by Holm, pooled runs count once. Columns:

    t             share of intervals that hold the truth, of a gate over the baseline, at every look
    AR(1)         the same of the interval that stands beside it, widened by the lag-1 correlation; no verdict
                  rests on it
    A/A           share of the A/A pair's intervals that hold no change
    false         share of runs in which any gate, at any look, "saves" where all truly save the threshold
    silent        the same of runs whose report does not warn that blocks follow each other
    one, both     share of runs that call a true 5 % of the first gate a saving (the others save nothing),
                  against one copy of the ungated arm, and against both, as the engine does

A share of 2,000 has a standard error of .5 % at 95 % and of 1 % at 75 %. The second table holds blocks that
`bench init` promises against blocks that are needed: then 4 of 5 runs "save".
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from analysis import stats
from analysis.blocks import BlockTable
from analysis.effect import FEWEST_BLOCKS, LogPair
from analysis.looks import level_of
from analysis.sizing import Noise, blocks_to_tell
from analysis.statistical_power import POWER
from analysis.values import FloatArray
from analysis.verdict import THRESHOLD, Contrast, Verdict, decide, settle
from benchmarks.draws import AGAIN, UNGATED, Setting, log_joules, table_of

BLOCKS = (5, 10, 20, 40)
LOOKS = (5, 10, 20)
TRUE = 0.05
"""Saving whose verdict is asked for."""


@dataclass(frozen=True)
class Line:
    """One row of the table; shares."""

    setting: Setting
    t: float
    ar1: float
    a_a: float
    false: float
    silent: float
    one: float
    both: float


def settings() -> Iterator[Setting]:
    """The lines of the table."""
    for blocks in BLOCKS:
        for name in ("quiet", "drift", "trend", "outliers"):
            yield Setting(name=name, disturbance=name, blocks=blocks)
        yield Setting(name="AR(1) .9 of slots", disturbance="slots", rho=0.9, blocks=blocks)
        for rho in (0.3, 0.5):
            yield Setting(name=f"AR(1) {rho:.1f} of blocks", disturbance="blocks", rho=rho, blocks=blocks)
        yield Setting(name="eight gates", gates=8, blocks=blocks)
    for name, gates in (("three looks", 1), ("three looks, eight gates", 8)):
        yield Setting(name=name, gates=gates, looks=LOOKS, level=level_of(LOOKS), blocks=LOOKS[-1])
    for runs in (3, 5, 8):
        yield Setting(name=f"{runs} runs pooled", runs=runs, blocks=5 * runs)


def contrasts(setting: Setting, table: BlockTable, *, both: bool = True) -> dict[str, Contrast]:
    """What the gates of a run are judged on, as `analysis.contrast` makes it from slots."""

    def pair(treated: FloatArray, baseline: FloatArray) -> LogPair:
        return LogPair(treated=treated, baseline=baseline, paired=True, runs=table.runs, level=setting.level)

    plain = table.logs(UNGATED, AGAIN) if both else table.logs(UNGATED)
    copy = pair(table.logs(AGAIN), table.logs(UNGATED))
    return {
        arm: Contrast(effect=pair(table.logs(arm), plain), copies=(copy,))
        for arm in setting.arms
        if arm not in (UNGATED, AGAIN)
    }


def verdicts(found: dict[str, Contrast]) -> list[Verdict]:
    """On gates that are asked about together."""
    p_holm = stats.holm({gate: one.p_beyond or 1.0 for gate, one in found.items()})
    return [settle(one, p_holm=p_holm[gate], asked=len(found))[0] for gate, one in found.items()]


def saves(
    setting: Setting, run: FloatArray, savings: list[float], *, both: bool = True
) -> list[Contrast | None]:
    """What each gate of a run with these true savings "saves" on at its first such look; None if at none."""
    found: list[Contrast | None] = [None for _ in range(setting.gates)]
    for blocks in setting.looks or (setting.blocks,):
        asked = contrasts(setting, table_of(setting, run[:, :blocks], savings=savings), both=both)
        for gate, (contrast, verdict) in enumerate(zip(asked.values(), verdicts(asked), strict=True)):
            if verdict == "saves" and found[gate] is None:
                found[gate] = contrast
    return found


def held(setting: Setting, run: FloatArray) -> list[list[bool]]:
    """Whether t, AR(1) and the A/A pair's interval hold the truth at every look, gate by gate."""
    nothing, gates = setting.gates * [0.0], np.ones((setting.gates, 3), dtype=bool)
    for blocks in setting.looks or (setting.blocks,):
        found = contrasts(setting, table_of(setting, run[:, :blocks], savings=nothing))
        for number, one in enumerate(found.values()):
            wider = stats.ratio(stats.ar1_interval(one.effect.sample, level=one.effect.level))
            intervals = (one.effect.interval, wider, one.copies[0].interval)
            gates[number] &= [interval is not None and interval.contains(1) for interval in intervals]
    return gates.tolist()


def line(setting: Setting, *, experiments: int, seed: int) -> Line:
    """All experiments of one setting."""
    logs = log_joules(setting, experiments=experiments, seed=seed)
    t, ar1, a_a = np.mean([held(setting, run) for run in logs], axis=(0, 1))
    at_threshold, only_first = setting.gates * [THRESHOLD], [TRUE, *(setting.gates - 1) * [0.0]]
    wrong = [[one for one in saves(setting, run, at_threshold) if one] for run in logs]
    silent = [[one for one in run if not decide(one).rests_on_independence] for run in wrong]
    false, unsaid = (np.mean([len(run) > 0 for run in runs]) for runs in (wrong, silent))
    one, both = (
        np.mean([saves(setting, run, only_first, both=both)[0] is not None for run in logs])
        for both in (False, True)
    )
    shares = [float(share) for share in (t, ar1, a_a, false, unsaid, one, both)]
    return Line(setting, *shares)


def table(lines: list[Line]) -> str:
    """The lines and what is outside the promise, as text."""
    head = "setting                  blocks |  t     AR(1)   A/A  | false  silent |  one    both"
    body = [
        f"{x.setting.name:<24} {x.setting.blocks:6d} | {x.t:5.1%}  "
        + (f"{x.ar1:5.1%}" if x.setting.runs == 1 else "   - ")
        + f"  {x.a_a:5.1%} | {x.false:5.1%}  {x.silent:5.1%} | {x.one:6.1%} {x.both:6.1%}"
        for x in lines
    ]
    promised = [x for x in lines if x.setting.disturbance != "blocks"]
    shares = [share for x in promised for share in (x.t, x.a_a)]
    false = max(x.false for x in promised)
    summary = f"but for correlated blocks: {min(shares):.1%} to {max(shares):.1%}, false at most {false:.1%}"
    return "\n".join([head, "-" * len(head), *body, "-" * len(head), summary])


def sizes(*, experiments: int, seed: int) -> Iterator[str]:
    """Blocks promised against blocks needed, as text; savings against a threshold of 2 %."""
    yield "saving   noise  gates  level  promised  needed"
    cases: list[tuple[float, float, int, tuple[int, ...]]] = [
        (saving, noise, 1, ()) for saving in (0.03, 0.04, 0.06) for noise in (0.01, 0.02, 0.04)
    ]
    cases += [(0.04, 0.02, 8, ()), (0.04, 0.02, 1, LOOKS), (0.04, 0.03, 8, LOOKS)]
    for saving, noise, gates, looks in cases:
        level = level_of(looks)
        known = Noise(seen=noise, planned=noise, blocks=None)
        promised = blocks_to_tell(saving, known, level=level, asked=gates)
        assert promised is not None, "none of these lies on the threshold"
        setting = Setting(name="size", blocks=promised, gates=gates, noise=noise, level=level)
        found = needed(setting, saving, experiments=experiments, seed=seed)
        yield f"{saving:6.0%}  {noise:6.0%}  {gates:5d}  {level:5.1%}  {promised:8d}  {found:6d}"


def needed(setting: Setting, saving: float, *, experiments: int, seed: int) -> int:
    """Fewest blocks after which 4 of 5 runs "save"; no farther than a third from those of the setting."""
    low, enough = max(FEWEST_BLOCKS, setting.blocks * 2 // 3), setting.blocks * 4 // 3
    savings = [saving, *(setting.gates - 1) * [0.0]]
    while low < enough:
        middle = replace(setting, blocks=(low + enough) // 2)
        logs = log_joules(middle, experiments=experiments, seed=seed)
        if np.mean([saves(middle, run, savings)[0] is not None for run in logs]) < POWER:
            low = middle.blocks + 1
        else:
            enough = middle.blocks
    return enough


def main() -> None:
    """Run every setting and print the tables."""
    parser = argparse.ArgumentParser(description="Coverage and power of the verdicts, by simulation.")
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start_s = time.perf_counter()
    print(table([line(one, experiments=options.experiments, seed=options.seed) for one in settings()]))
    print("\n".join(sizes(experiments=options.experiments, seed=options.seed)))
    seconds_s = time.perf_counter() - start_s
    print(f"{options.experiments} experiments per setting, seed {options.seed}, {seconds_s:.0f} s")


if __name__ == "__main__":
    main()
