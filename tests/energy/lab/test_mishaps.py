"""Whatever can happen to a stream happens fifty times, at random places, and is found each time."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.known_power import bursts, noisy, on_rails, simulate
from energy import decode
from energy.attribute import attribute
from energy.base import SourceInfo, Trace
from energy.lab.documents import ChipShape
from energy.replay import load, read_kept
from tests.energy.lab.mishaps import IN_DOCUMENTS, MISHAPS, deliveries, record

RECORDINGS, EACH = 5, 10
DOCUMENTS_APART = 45
SMALL = ChipShape(model="Mac1,1", clusters=(("M0-Cluster", 1),), states=0)
SOURCE = SourceInfo(
    name="simulated",
    kind="simulated",
    rails=("cpu", "gpu", "ane"),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
)


@pytest.fixture(autouse=True, scope="module")
def alike_is_parsed_once() -> Iterator[None]:
    """The recordings of a seed differ by their mishaps only: most of their documents come again and again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(decode._PARSERS, "plist", lru_cache(maxsize=10_000)(decode.parse))
        yield


def simulation(seed: int, seconds: float = 58.0):
    chance = np.random.default_rng([seed, 3])
    watts, _ = bursts(seconds, chance, idle_w=6.0)
    return simulate(on_rails(noisy(watts, chance)), chance), chance


def measured(trace: Trace, windows) -> tuple[np.ndarray, np.ndarray]:
    return attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        np.array(windows),
        alignment_s=trace.alignment_s,
        resolution_j=0.001,
    )


def is_void(trace: Trace, window: tuple[float, float], kind: str) -> bool:
    """A fault of that kind touches the window, and what it concerns is not measured there."""
    touching = [f for f in trace.faults if f.kind == kind and f.start_s < window[1] and f.end_s > window[0]]
    joules, _ = measured(trace, [window])
    by_rail = dict(zip(trace.rails, joules[0], strict=True))
    return bool(touching) and all(f.rail is None or np.isnan(by_rail[f.rail]) for f in touching)


def check_alike(trace: Trace, bare: Trace) -> None:
    """The stream alone, without its arrivals, has the same faults and voids the same figures.

    Readings before a cut whose arrivals don't settle yet where they lie are missing from the trace only.
    """
    faults, of_bare = ([(f.kind, f.rail, f.detail) for f in one.faults] for one in (trace, bare))
    assert of_bare == faults
    rows = iter(np.nan_to_num(bare.joules, nan=-1.0).tolist())
    assert all(row in rows for row in np.nan_to_num(trace.joules, nan=-1.0).tolist())
    assert len(bare.joules) <= 1.03 * len(trace.joules)


@pytest.mark.parametrize("name", MISHAPS)
def test_every_mishap_is_found_and_voids_what_it_touches(name: str, tmp_path: Path):
    mishap, kind = MISHAPS[name]
    found, beside, held = 0, 0, 0
    for seed in range(RECORDINGS):
        simulated, chance = simulation(seed)
        sent, row, instants = deliveries(simulated), 15, []
        for _ in range(EACH):
            at = row + int(chance.integers(0, 10))
            instants.append(sent[at].at.harness_s)
            sent = mishap(sent, at, chance)
            row += DOCUMENTS_APART
        folder = tmp_path / str(seed)
        folder.mkdir()
        record(sent, folder, source=SOURCE, shape=SMALL)
        trace = load(folder)[0]
        if name in IN_DOCUMENTS:
            check_alike(trace, read_kept(folder / "power.raw")[0])
        found += sum(is_void(trace, (instant - 0.8, instant + 2.8), kind) for instant in instants)
        if name == "gap":  # what follows a pause is elsewhere in time than the truth
            continue
        clean = np.array([(instant + 3.2, instant + 4.0) for instant in instants[:-1]])
        joules, bound = measured(trace, clean)
        truth = simulated.power.joules_in(clean)
        known = ~np.isnan(joules)
        beside += int(known.sum())
        held += int((np.abs(joules - truth)[known] <= bound[known] + 1e-9).sum())
    assert found == RECORDINGS * EACH
    if name != "gap":
        assert beside > 2 * RECORDINGS * EACH
        assert held >= 0.99 * beside


def test_lateness_alone_is_no_fault(tmp_path: Path):
    for seed in range(3):
        chance = np.random.default_rng(seed)
        watts, _ = bursts(60.0, chance)
        late = simulate(on_rails(watts), chance, late_share=0.1, late_s=0.7)
        folder = tmp_path / str(seed)
        folder.mkdir()
        record(deliveries(late), folder, source=SOURCE, shape=SMALL)
        assert load(folder)[0].faults == ()


def test_counters_that_move_only_every_two_seconds_are_no_readings(tmp_path: Path):
    chance = np.random.default_rng(2)
    watts, _ = bursts(60.0, chance, idle_w=8.0)
    record(
        deliveries(simulate(on_rails(watts), chance, publish_every_s=2.0)),
        tmp_path,
        source=SOURCE,
        shape=SMALL,
    )
    trace = load(tmp_path)[0]
    assert {fault.kind for fault in trace.faults} == {"dead rail"}
    joules, _ = measured(trace, [(1010.0, 1030.0)])
    assert np.isnan(joules[0, :2]).all()
