"""What an analysis is given: run folders, or a data set of `bench collect`, grouped by what may be pooled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from analysis.rows import Slot, rows_from_columns
from analysis.values import Withheld
from bench.errors import UserError
from bench.report.names import WORDS, arm_label
from bench.report.readback import Readback, read_back
from bench.report.rows import after_the_run, likeness
from bench.run import store
from bench.run.records import ArmKey
from bench.run.store import StoredRun
from bench.suite.asked import Asked, asked_of_run

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Slots of one machine and one suite; several runs are pooled."""

    runs: tuple[str, ...]
    asked: Asked
    """What their suite asks for."""
    baseline: str
    """Gate label of the ungated arm."""
    slots: Sequence[Slot]
    slots_after: Sequence[Slot] | None
    """By the published protocol; None without raw readings."""
    readback: Readback | None
    """Of the first run, for its tokens; None without run folders."""
    as_published: bool = False
    """Whether the runs repeat the papers' protocol: no verdict may rest on them."""

    @property
    def keys(self) -> list[ArmKey]:
        """The arms, those of a backend together."""
        keys = {(slot.backend, slot.gate, False) for slot in self.slots}
        return sorted(key for key in keys if arm_label(key) in self.arms)

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
    pooled = [of_readbacks([read_back(run) for run in runs]) for runs in groups.values()]
    return [*pooled, *chain.from_iterable(map(read_evidence, sets))]


def of_readbacks(readbacks: Sequence[Readback]) -> Evidence:
    """The slots of runs that may be pooled, at least one."""
    slots: list[Slot] = []
    after: list[Slot] = []
    for readback in readbacks:
        slots += readback.slots
        after += after_the_run(readback)
    header = readbacks[0].run.header
    return Evidence(
        runs=tuple(readback.run.header.run_id for readback in readbacks),
        asked=asked_of_run(header),
        baseline=header.baseline,
        slots=slots,
        slots_after=after,
        readback=readbacks[0],
        as_published=header.overrides.as_published,
    )


def read_evidence(file: Path) -> list[Evidence]:
    """The runs of a data set, pooled by machine, suite, prompts and weights.

    Raises:
        UserError: the file can't be read, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        why = error if file.exists() else "no such file"
        raise UserError(
            f"can't read the data set {file} ({why})", fix="make one with: bench collect"
        ) from None
    missing = {"likeness", "asked", "baseline"} - set(table.column_names)
    if missing:
        raise UserError(
            f"the data set {file} lacks {', '.join(sorted(missing))}", fix="make it anew with: bench collect"
        )
    kinds = pc.unique(table["likeness"]).to_pylist()
    return [_evidence(table.filter(pc.equal(table["likeness"], kind)), file) for kind in kinds]


def _evidence(table: pa.Table, file: Path) -> Evidence:
    import pyarrow.compute as pc

    names = {f.name: WORDS.get(f.name, f.name) for f in fields(Slot)}
    here = {own: name if name in table.column_names else own for own, name in names.items()}  # as in 0.1.0
    columns = {own: table[name].to_pylist() for own, name in here.items() if name in table.column_names}
    slots = rows_from_columns(Slot, columns)
    if isinstance(slots, Withheld):
        raise UserError(f"{file}: {slots.reason}")
    slots = [replace(slot, arm=_label_of_today(slot)) for slot in slots]
    return Evidence(
        runs=tuple(pc.unique(table["run"]).to_pylist()),
        asked=_asked(table["asked"][0].as_py(), file),
        baseline=table["baseline"][0].as_py(),
        slots=slots,
        slots_after=None,
        readback=None,
    )


def _label_of_today(slot: Slot) -> str:
    """Version 0.1.0 wrote `torch ungated (A/A)` for `torch (A/A)`."""
    return arm_label((slot.backend, slot.gate, slot.arm.endswith("(A/A)")))


def _asked(stored: str, file: Path) -> Asked:
    try:
        return Asked.model_validate_json(stored)
    except ValidationError:
        raise UserError(
            f"the data set {file} is of another version, which says otherwise what its runs asked for",
            fix="make it anew with: bench collect",
        ) from None
