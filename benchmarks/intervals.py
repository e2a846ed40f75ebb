"""Why t, why arms take turns, and why looks are paid for: other intervals over the same simulated runs.

    python benchmarks/intervals.py [--experiments 2000] [--seed 1]

Columns: the share of experiments whose 95 % interval holds the truth, for Student's t on the log-ratios of an
arm over both ungated copies, for BCa over the same, and for Welch's interval on as many slots where two arms
are run one after the other (which goes first is drawn by lot); then how often the last finds a saving where
there is none. What disturbs the runs is said in `benchmarks/draws.py`.

Below stands what looking costs: how often one of several looks falsely "saves" at the threshold, and how
often all of them hold the truth, with the level of one look and with the one that pays for all
(`analysis.looks`).
"""

from __future__ import annotations

import argparse

import numpy as np

from analysis import stats
from analysis.looks import level_of
from analysis.values import LEVEL, FloatArray
from benchmarks.draws import Setting, disturbance, log_joules

CONDITIONS = ("quiet", "drift", "trend", "outliers")
BLOCKS = (5, 10, 20)


def covered(intervals: stats.Intervals) -> float:
    """Share of intervals that hold the truth: no change."""
    return float(np.mean((intervals.low <= 0) & (intervals.high >= 0)))


def line(setting: Setting, *, experiments: int, seed: int) -> str:
    """All experiments of one setting, as text."""
    rng = np.random.default_rng([seed, setting.blocks])
    plain, treated, again = np.moveaxis(log_joules(setting, experiments=experiments, seed=seed), 1, 0)
    log_ratios = treated - (plain + again) / 2
    slots = disturbance(setting, experiments, 4 * setting.blocks, rng)
    sequential = one_after_the_other(slots, rng)
    shares = (
        covered(stats.t_interval(log_ratios)),
        covered(stats.bca_interval(log_ratios, resamples=1999)),
        covered(sequential),
        float(np.mean(sequential.high < 0)),
    )
    return f"{setting.name:<9} {setting.blocks:6d} | " + "  ".join(f"{share:6.1%}" for share in shares)


def one_after_the_other(slots: FloatArray, rng: np.random.Generator) -> stats.Intervals:
    """All slots of one arm and then all of the other, as a run without counterbalancing has them.

    Args:
        slots: log-joules, shape (experiments, slots).
        rng: decides which arm goes first.
    """
    halves = np.stack(np.split(slots, 2, axis=1))
    first, each = rng.integers(0, 2, len(slots)), np.arange(len(slots))
    return stats.welch_interval(halves[first, each], halves[1 - first, each])


def looking(looks: tuple[int, ...], *, experiments: int, seed: int) -> str:
    """What looks after so many blocks do without and with the level that pays for them, as text."""
    setting = Setting(name="quiet", blocks=looks[-1])
    plain, treated, again = np.moveaxis(log_joules(setting, experiments=experiments, seed=seed), 1, 0)
    log_ratios = treated - (plain + again) / 2
    lines = [
        f"{len(looks)} looks after {looks[0]} to {looks[-1]} blocks: level | false saves, all hold the truth"
    ]
    for name, level in (("of one look", LEVEL), ("of all looks", level_of(looks))):
        found = [stats.t_interval(log_ratios[:, :blocks], level=level) for blocks in looks]
        false = np.any([interval.high < 0 for interval in found], axis=0)
        held = np.all([(interval.low <= 0) & (interval.high >= 0) for interval in found], axis=0)
        lines.append(f"  {name:<12} {level:6.2%} | {false.mean():6.1%} {held.mean():6.1%}")
    return "\n".join(lines)


def main() -> None:
    """Run every setting and print the table."""
    parser = argparse.ArgumentParser(description="Coverage of other intervals, by simulation.")
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("condition blocks |  t      BCa     sequential  its false savings")
    for name in CONDITIONS:
        for blocks in BLOCKS:
            setting = Setting(name=name, disturbance=name, blocks=blocks)
            print(line(setting, experiments=options.experiments, seed=options.seed))
    for looks in ((5, 10, 20), tuple(range(5, 41))):
        print(looking(looks, experiments=5 * options.experiments, seed=options.seed))


if __name__ == "__main__":
    main()
