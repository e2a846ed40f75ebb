"""What an analysis is given: run folders, or a data set of `bench collect`, grouped by what may be pooled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.rows import Slot
from bench import store
from bench.readback import Readback, read_back
from bench.rows import after_the_run, likeness, slot_rows
from bench.store import StoredRun


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Slots of one machine and one suite; their blocks count as those of one long run."""

    runs: tuple[str, ...]
    suite: str
    """Stem of the suite's file."""
    baseline: str
    """Gate label of the ungated arm."""
    slots: list[Slot]
    slots_after: list[Slot] | None
    """By the published protocol; None without raw readings."""
    readback: Readback | None
    """Of the first run, for its tokens; None without run folders."""

    @property
    def arms(self) -> set[str]:
        """Arms that have a slot."""
        return {slot.arm for slot in self.slots}

    @property
    def backends(self) -> list[str]:
        """Backends that have a slot."""
        return sorted({slot.backend for slot in self.slots})


def gather(paths: Sequence[Path]) -> list[Evidence]:
    """Read run folders and data sets; runs of one machine, suite and set of weights are pooled.

    Raises:
        UserError: neither a run folder nor a data set.
        EnergyError: a raw stream can't be read.
    """
    folders = [path for path in paths if path.suffix != ".parquet"]
    sets = [path for path in paths if path.suffix == ".parquet"]
    groups: dict[tuple[str, ...], list[StoredRun]] = defaultdict(list)
    for run in map(store.read, folders):
        groups[likeness(run.header)].append(run)
    from_sets = []
    if sets:
        from bench.collect import read_evidence

        from_sets = [evidence for path in sets for evidence in read_evidence(path)]
    return [*map(_of_runs, groups.values()), *from_sets]


def _of_runs(runs: Sequence[StoredRun]) -> Evidence:
    slots, after, readbacks = [], [], []
    for run in runs:
        readback = read_back(run)
        rows = slot_rows(readback)
        slots += rows
        after += after_the_run(readback, rows)
        readbacks.append(readback)
    header = runs[0].header
    return Evidence(
        runs=tuple(run.header["run_id"] for run in runs),
        suite=Path(header["suite"]["path"]).stem,
        baseline=header["baseline"],
        slots=slots,
        slots_after=after,
        readback=readbacks[0],
    )
