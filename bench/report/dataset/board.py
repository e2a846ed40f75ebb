"""A data set as one page: what was checked, by machine and model, what is weak or not believed apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.words import counted
from bench.report.dataset.check import Checked
from bench.report.dataset.folder import read_file
from bench.report.dataset.rows import Row
from bench.report.page.build import fill, text_of
from bench.show.files import write
from bench.show.table import NOTHING
from bench.show.words import kind_label


@dataclass(frozen=True, kw_only=True)
class BoardCell:
    """What a cell says, and by what it is sorted."""

    text: str
    value: float | None = None
    """None: by its text."""
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class BoardColumn:
    """A column of the board."""

    heading: str
    cell: Callable[[Row], BoardCell]


@dataclass(frozen=True, kw_only=True)
class JoulesAlike:
    """The rows with joules of one boundary and one kind: no others stand in a table with them."""

    heading: str
    strong: Sequence[Row]
    weak: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class NotBelieved:
    """A run that failed a check."""

    run: str
    failed: Sequence[str]


def write_board(runs: Sequence[Checked], out: Path) -> Path:
    """Write the page; returns its path.

    Args:
        runs: as `check` found them; rows of those that failed are not read.
        out: the file to write.

    Raises:
        UserError: it can't be written, or a file of the data set is damaged.
    """
    believed = [run for run in runs if not run.failed]
    rows = [(run, row) for run in believed for row in _shown(read_file(run.file).to_pylist())]
    alike: dict[tuple[str, str], list[tuple[Checked, Row]]] = {}
    for run, row in rows:
        alike.setdefault((row["kind"], row["boundary"]), []).append((run, row))
    page = fill(
        "board.html.j2",
        style=text_of("page.css") + text_of("board.css"),
        script=text_of("board.js"),
        title="Joules of language models",
        said=_said(runs, believed, [row for _, row in rows]),
        columns=COLUMNS,
        groups=[_group(*key, among) for key, among in sorted(alike.items())],
        doubted=[NotBelieved(run=run.run, failed=list(map(str, run.failed))) for run in runs if run.failed],
    )
    return write(out, page, instead="choose another file with --out")


def _shown(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row["a_a"] and row["joules_per_token"] is not None]


def _group(kind: str, boundary: str, among: Sequence[tuple[Checked, Row]]) -> JoulesAlike:
    label = kind_label([kind])
    return JoulesAlike(
        heading=label if boundary == kind else f"{boundary}, {label}",
        strong=_sorted(row for run, row in among if not run.weak),
        weak=_sorted({**row, "weak": "; ".join(run.weak)} for run, row in among if run.weak),
    )


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (_chip(row), row["model"], row["joules_per_token"]))


def _said(runs: Sequence[Checked], believed: Sequence[Checked], rows: Sequence[Row]) -> str:
    machines = {(row["chip"], row["gpu_cores"], row["machine"]) for row in rows}
    words = f"{counted(len(believed), 'run')} of {counted(len(machines), 'machine')}, computed anew"
    out = len(runs) - len(believed)
    return f"{words}; {counted(out, 'run')} not believed" if out else words


def _chip(row: Row) -> str:
    cores = f", {row['gpu_cores']} GPU cores" if row["gpu_cores"] else ""
    return f"{row['chip'] or 'unknown'}{cores}"


def _machine(row: Row) -> BoardCell:
    weak = f": {row['weak']}" if "weak" in row else ""
    return BoardCell(text=_chip(row), below=f"{row['run']}{weak}")


def _model(row: Row) -> BoardCell:
    return BoardCell(text=row["model"], below=f"{row['suite']} suite")


def _configuration(row: Row) -> BoardCell:
    return BoardCell(text=row["configuration"])


def _cost(row: Row) -> BoardCell:
    low, high = row["joules_per_token_low"], row["joules_per_token_high"]
    below = "" if low is None or high is None else f"({low:.3g} to {high:.3g})"
    value = row["joules_per_token"]
    return BoardCell(text=f"{value:.3g}", value=value, below=below)


def _speed(row: Row) -> BoardCell:
    value = row["decode_tokens_per_s"]
    return BoardCell(text=NOTHING if value is None else f"{value:.3g}", value=value)


def _verdict(row: Row) -> BoardCell:
    if row["against"] is None:
        return BoardCell(text="baseline")
    saved = row["joules_saved_percent"]
    below = "" if saved is None or row["verdict"] != "saves" else f"{saved:.0f} % in {row['blocks']} blocks"
    return BoardCell(text=row["verdict"] or NOTHING, below=below)


def _match(row: Row) -> BoardCell:
    value = row["token_match_percent"]
    return BoardCell(text=NOTHING if value is None else f"{value:.0f} %", value=value)


def _grade(row: Row) -> BoardCell:
    return BoardCell(text=row["grade_name"], value=row["grade"])


COLUMNS = (
    BoardColumn(heading="Machine", cell=_machine),
    BoardColumn(heading="Model", cell=_model),
    BoardColumn(heading="Configuration", cell=_configuration),
    BoardColumn(heading="J/token (95 %)", cell=_cost),
    BoardColumn(heading="Tokens/s", cell=_speed),
    BoardColumn(heading="Verdict", cell=_verdict),
    BoardColumn(heading="Token match", cell=_match),
    BoardColumn(heading="Grade", cell=_grade),
)
