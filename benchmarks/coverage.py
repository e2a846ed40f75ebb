"""Do the intervals keep their promise? Coverage over simulated experiments, one table.

    python benchmarks/coverage.py [--experiments 2000] [--seed 1]

Each experiment is a run whose true saving is known. Two arms and an A/A arm are held in blocks of six
slots (every arm twice, a Latin-square row and its mirror), under one of four conditions:

    quiet      2 % noise per slot
    drift      the machine slows by 10 % over the run, plus a random walk of 0.3 % per slot
    trend      it warms up: 15 % more joules, most of it within the first blocks
    outliers   5 % of the slots take up to 30 % more joules: something else ran

Columns: the share of experiments whose 95 % interval holds the truth for the interval that decides
(t on paired log-ratios), for BCa over the same blocks, and for Welch's interval on the same number of
slots when the arms are run one after the other (which goes first is drawn by lot). Then how often each
says "saves": false at effect 0, where it should be rare. A share of 2,000 has an error of 1 % (two
standard errors at 95 %). The last lines give the range over all settings.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from analysis import stats
from analysis.effect import LogPair
from analysis.looks import level_of
from analysis.power import POWER, Question, blocks_to_settle
from analysis.values import LEVEL, FloatArray
from analysis.verdict import THRESHOLD, Contrast, decide

ARMS = 3
"""Treated, baseline, and the baseline again."""
ROWS = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
CONDITIONS = ("quiet", "drift", "trend", "outliers")
EFFECTS = (0.0, 0.02, 0.05, 0.20)
BLOCKS = (5, 10, 20)
NOISE = 0.02


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of the table; shares of experiments."""

    condition: str
    effect: float
    blocks: int
    t_coverage: float
    bca_coverage: float
    sequential_coverage: float
    saves: float
    sequential_saves: float


def interleaved_order(blocks: int) -> np.ndarray:
    """Arm of each slot, shape (blocks, 6): a row of the Latin square, then the row reversed."""
    rows = ROWS[np.arange(blocks) % ARMS]
    return np.concatenate([rows, rows[:, ::-1]], axis=1)


def disturbance(condition: str, *, experiments: int, slots: int, rng: np.random.Generator) -> FloatArray:
    """What happens to log-joules whichever arm is running, shape (experiments, slots)."""
    log_joules = rng.normal(0, NOISE, (experiments, slots))
    progress = np.arange(slots) / slots
    if condition == "drift":
        log_joules += 0.10 * progress + np.cumsum(rng.normal(0, 0.003, (experiments, slots)), axis=1)
    if condition == "trend":
        log_joules += 0.15 * (1 - np.exp(-6 * progress))
    if condition == "outliers":
        hit = rng.random((experiments, slots)) < 0.05
        log_joules += hit * rng.uniform(0, np.log(1.3), (experiments, slots))
    return log_joules


def per_block(log_joules: FloatArray, order: np.ndarray) -> FloatArray:
    """Log of each arm's joules per block, shape (experiments, arms, blocks)."""
    joules = np.exp(log_joules).reshape(len(log_joules), *order.shape)
    return np.stack([np.log((joules * (order == arm)).sum(axis=-1)) for arm in range(ARMS)], axis=1)


def covered(intervals: stats.Intervals, truth: float) -> float:
    """Share of intervals that hold the truth."""
    return float(np.mean((intervals.low <= truth) & (truth <= intervals.high)))


def experiment(condition: str, effect: float, blocks: int, *, experiments: int, seed: int) -> Line:
    """All experiments of one setting."""
    rng = np.random.default_rng([seed, CONDITIONS.index(condition), round(effect * 100), blocks])
    order = interleaved_order(blocks)
    truth = float(np.log1p(-effect))
    noise = disturbance(condition, experiments=experiments, slots=order.size, rng=rng)
    logs = per_block(noise + truth * (order.ravel() == 0), order)
    treated = logs[:, 0] - logs[:, 1]
    verdicts = [decide(contrast_of(experiment)).verdict for experiment in logs]
    sequential = sequential_interval(noise[:, : 4 * blocks], truth, rng)
    return Line(
        condition=condition,
        effect=effect,
        blocks=blocks,
        t_coverage=covered(stats.t_interval(treated), truth),
        bca_coverage=covered(stats.bca_interval(treated, resamples=1999), truth),
        sequential_coverage=covered(sequential, truth),
        saves=verdicts.count("saves") / experiments,
        sequential_saves=float(np.mean(sequential.high < 0)),
    )


def contrast_of(logs: FloatArray) -> Contrast:
    """What one experiment is judged on; logs of shape (arms, blocks)."""
    treated, baseline, again = logs
    return Contrast(
        effect=LogPair(treated=treated, baseline=baseline, paired=True),
        copies=(LogPair(treated=again, baseline=baseline, paired=True),),
    )


def sequential_interval(noise: FloatArray, truth: float, rng: np.random.Generator) -> stats.Intervals:
    """All slots of one arm and then all of the other, as a run without counterbalancing has them."""
    halves = np.stack(np.split(noise, 2, axis=1))
    first = rng.integers(0, 2, noise.shape[0])
    each = np.arange(noise.shape[0])
    return stats.welch_interval(halves[first, each] + truth, halves[1 - first, each])


def table(lines: list[Line]) -> str:
    """The lines and their summary as text."""
    head = "condition  effect  blocks |  t      BCa    sequential | saves   sequential saves"
    body = [
        f"{x.condition:<9} {x.effect:6.0%}  {x.blocks:6d} | {x.t_coverage:6.1%} {x.bca_coverage:6.1%}"
        f" {x.sequential_coverage:10.1%} | {x.saves:6.1%} {x.sequential_saves:12.1%}"
        for x in lines
    ]
    return "\n".join([head, "-" * len(head), *body, "-" * len(head), *summary(lines)])


def summary(lines: list[Line]) -> list[str]:
    """Range of coverage, and the worst rate of false savings."""
    null = [x for x in lines if x.effect == 0]
    ranges = {
        "t": [x.t_coverage for x in lines],
        "BCa": [x.bca_coverage for x in lines],
        "sequential": [x.sequential_coverage for x in lines],
    }
    return [
        *(f"coverage of {name}: {min(v):.1%} to {max(v):.1%}" for name, v in ranges.items()),
        f'false "saves" on A/A: at most {max(x.saves for x in null):.1%}',
        f"false savings of sequential runs: at most {max(x.sequential_saves for x in null):.1%}",
    ]


def looking(looks: tuple[int, ...], *, experiments: int, seed: int) -> str:
    """One run looked at several times: intervals without and with the level that pays for it, as text.

    False "saves" are those of a true saving that equals the threshold; a run errs if any look does.
    """
    truth, rng = -stats.log_distance(THRESHOLD), np.random.default_rng([seed, *looks])
    runs = rng.normal(truth, NOISE, (experiments, looks[-1]))
    lines = [f"looks after {looks}: level | false saves, all looks hold the truth, last look holds it"]
    for name, level in (("unadjusted", LEVEL), ("adjusted", level_of(looks))):
        found = [stats.t_interval(runs[:, :blocks], level=level) for blocks in looks]
        false = np.any([interval.high < truth for interval in found], axis=0)
        held = [(interval.low <= truth) & (truth <= interval.high) for interval in found]
        lines.append(
            f"  {name:<10} {level:6.2%} | {false.mean():6.1%} {np.all(held, axis=0).mean():6.1%}"
            f" {held[-1].mean():6.1%}"
        )
    return "\n".join(lines)


def saves_after(blocks: int, saving: float, noise: float, *, experiments: int, seed: int) -> float:
    """Share of runs that say "saves"; the effect and the A/A pair differ by `noise` from block to block."""
    rng = np.random.default_rng([seed, blocks, round(noise * 1000)])
    plain, found = np.zeros(blocks), []
    for effect, copy in rng.normal(0, noise, (experiments, 2, blocks)):
        treated = LogPair(treated=effect + np.log1p(-saving), baseline=plain, paired=True)
        again = LogPair(treated=copy, baseline=plain, paired=True)
        found.append(decide(Contrast(effect=treated, copies=(again,))).verdict)
    return found.count("saves") / experiments


def needed(promised: int, saving: float, noise: float, *, experiments: int, seed: int) -> int:
    """Fewest blocks after which the promised share of runs does say "saves"; no farther off than a third."""
    low, enough = max(5, promised * 2 // 3), promised * 4 // 3
    while low < enough:
        blocks = (low + enough) // 2
        if saves_after(blocks, saving, noise, experiments=experiments, seed=seed) < POWER:
            low = blocks + 1
        else:
            enough = blocks
    return enough


def sizes(*, experiments: int, seed: int) -> str:
    """Blocks promised against blocks needed, as text; savings against a threshold of 2 %."""
    lines = ["saving   noise  promised  needed"]
    for saving in (0.03, 0.04, 0.06):
        for noise in (0.01, 0.02, 0.04):
            effect, bound = stats.log_distance(saving), stats.log_distance(0.02)
            question = Question(effect=effect, bound=bound, spread=noise, copy_spread=noise)
            promised = blocks_to_settle(question, fewest=5)
            assert promised is not None, "none of these lies on the threshold"
            found = needed(promised, saving, noise, experiments=experiments, seed=seed)
            lines.append(f"{saving:6.0%}  {noise:6.0%}  {promised:8d}  {found:6d}")
    return "\n".join(lines)


def main() -> None:
    """Run every setting and print the table."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals, by simulation.")
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start_s = time.perf_counter()
    lines = [
        experiment(condition, effect, blocks, experiments=options.experiments, seed=options.seed)
        for condition in CONDITIONS
        for effect in EFFECTS
        for blocks in BLOCKS
    ]
    print(table(lines))
    for looks in ((5, 10, 20), tuple(range(5, 41))):
        print(looking(looks, experiments=10 * options.experiments, seed=options.seed))
    print(sizes(experiments=options.experiments, seed=options.seed))
    seconds_s = time.perf_counter() - start_s
    print(f"{options.experiments} experiments per setting, seed {options.seed}, {seconds_s:.0f} s")


if __name__ == "__main__":
    main()
