"""Ways to forge a run of a data set, each of which one check is there to find.

A forger changes the run folder and then writes the rows that the changed run gives, so that they agree; only
the forgeries of rows, places and streams leave the rows as they were.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.report.dataset.rows import place_of, rows_of, schema
from bench.report.story import Story
from energy.cache import KEPT
from energy.recording import INDEX

Change = Callable[[Path, Path], None]
"""Changes a run folder; another honest run of the data set is there to take things from."""
Documents = list[tuple[bytes, list[float]]]
"""Each with the instants at which it had arrived."""
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """A way to forge a run."""

    name: str
    check: str
    """The check that finds it."""
    change: Change
    retold: bool = True
    """Whether the rows are written anew."""


def forge(forgery: Forgery, file: Path, other: Path) -> Path:
    """Forge the run of a Parquet file of a data set; the file, which may have moved."""
    forgery.change(file.with_suffix(""), other.with_suffix(""))
    return told_anew(file) if forgery.retold else file


def told_anew(file: Path) -> Path:
    """Write the rows that a changed run gives, where they belong; the file."""
    run = file.with_suffix("")
    rows = rows_of(Story.of(run))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema(rows[0])), file)
    place = file.parents[3] / place_of(rows)
    if place != file.parent:
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(run, place)
        shutil.move(file, place)
    return place / file.name


# Rows ----------------------------------------------------------------------------------------------


def column(name: str, change: Callable[[Any], Any]) -> Change:
    """Change a column of the rows, where it has a value."""

    def changed(run: Path, _: Path) -> None:
        file = run.with_name(f"{run.name}.parquet")
        table = pq.ParquetFile(file).read()
        values = [None if value is None else change(value) for value in table[name].to_pylist()]
        place = table.column_names.index(name)
        pq.write_table(table.set_column(place, name, pa.array(values, table.schema.field(name).type)), file)

    return changed


def under_another_chip(run: Path, _: Path) -> None:
    """Move a run to the folder of another chip, and leave its file of rows where it was."""
    place = run.parent.parent.with_name("chip=Apple-M4-10") / run.parent.name
    place.mkdir(parents=True, exist_ok=True)
    shutil.move(run, place)
    shutil.move(run.with_name(f"{run.name}.parquet"), place)


# Records -------------------------------------------------------------------------------------------


def records(change: Callable[[list[Json]], Iterable[Json]]) -> Change:
    """Change the records; without checksums, as those of older versions are."""

    def changed(run: Path, _: Path) -> None:
        file = run / "records.jsonl"
        read = [json.loads(line) for line in file.read_text().splitlines()]
        for record in read:
            record.pop("crc32", None)
        file.write_text("".join(json.dumps(record) + "\n" for record in change(read)))

    return changed


def first(read: list[Json], kind: str, **facts: Any) -> Json:
    """The first record of a type that has these values."""
    return next(one for one in read if one["type"] == kind and facts.items() <= one.items())


def updated(kind: str, change: Callable[[Json], None], **facts: Any) -> Change:
    """Change the first record of a type that has these values."""

    def changed(read: list[Json]) -> list[Json]:
        change(first(read, kind, **facts))
        return read

    return records(changed)


def without(kind: str, *, only_first: bool = False, **facts: Any) -> Change:
    """Leave out the records of a type that have these values, or the first one."""

    def changed(read: list[Json]) -> list[Json]:
        gone = first(read, kind, **facts)
        alike = [one for one in read if one["type"] == kind and facts.items() <= one.items()]
        out = [gone] if only_first else alike
        return [one for one in read if not any(one is left for left in out)]

    return records(changed)


def without_block(read: list[Json], number: int = 1) -> list[Json]:
    """Leave out a block and all that was run in it."""
    return [one for one in read if one.get("block") != number]


def request_twice(read: list[Json]) -> list[Json]:
    """Tell a request of the gated arm twice, and with it its tokens."""
    place = read.index(first(read, "request", gate="norm_fraction"))
    return [*read[: place + 1], *read[place:]]


def moved(by_s: float, *names: str) -> Callable[[Json], None]:
    """Move instants of a record."""

    def change(record: Json) -> None:
        for name in names:
            record[name] += by_s

    return change


def another_token(record: Json) -> None:
    """Change the last token of a request."""
    record["tokens"][-1] += 1


def one_token_more(record: Json) -> None:
    """Make an answer longer."""
    record["tokens"].append(1)


def quick(run: Path, _: Path) -> None:
    """Say that the run was an Apple M1's, which reads one per cent faster than its memory."""
    header = run / "run.json"
    told = json.loads(header.read_text())
    told["host"] |= {"chip": "Apple M1", "gpu_cores": 8}
    header.write_text(json.dumps(told))

    def faster(read: list[Json]) -> list[Json]:
        for one in read:
            if one["type"] == "request":
                one["decode_bytes"] = int(68.25e9 * 1.01 * (one["end_s"] - one["prefilled_s"]))
        return read

    records(faster)(run, run)


# Self-test -----------------------------------------------------------------------------------------


def rises_more(record: Json) -> None:
    """Make the rise of a rail larger by a twentieth."""
    next(one for one in record["findings"] if one["expected"] == "moves")["rise_w"] *= 1.05


def gpu_asleep(record: Json) -> None:
    """Let the load of the GPU have run while nothing did; what it is said to have found stays."""
    start_s, end_s = record["windows"]["sleep"]
    middle_s = (start_s + end_s) / 2
    record["windows"] |= {"gpu stream": [start_s, middle_s], "sleep": [middle_s, end_s]}


def no_windows(record: Json) -> None:
    """Don't say when the loads ran."""
    record["windows"] = None


# Streams -------------------------------------------------------------------------------------------


def stream(change: Callable[[Documents, Documents], Documents]) -> Change:
    """Change the documents of the meter, given those of another run too; the index tells them as they are."""

    def changed(run: Path, other: Path) -> None:
        lines, documents = _read(run)
        made = change(documents, _read(other)[1])
        received, told = 0, []
        for document, at in made:
            received += len(document)
            told.append(json.dumps({"received": received, "at": at}))
        where = next(i for i, line in enumerate(lines) if '"stopped"' in line)
        (run / INDEX).write_text("\n".join([*lines[:where], *told, *lines[where:]]) + "\n")
        (run / "power.raw.gz").write_bytes(gzip.compress(b"".join(document for document, _ in made)))
        (run / KEPT).unlink(missing_ok=True)

    return changed


def _read(run: Path) -> tuple[list[str], Documents]:
    """The lines of an index that tell of no document, and the documents."""
    raw, lines, documents = gzip.decompress((run / "power.raw.gz").read_bytes()), [], []
    begin = 0
    for line in (run / INDEX).read_text().splitlines():
        told = json.loads(line)
        if "received" in told:
            documents.append((raw[begin : told["received"]], told["at"]))
            begin = told["received"]
        else:
            lines.append(line)
    return lines, documents


def in_place(number: int, change: Callable[[bytes], bytes]) -> Change:
    """Change a document."""

    def changed(documents: Documents, _: Documents) -> Documents:
        document, at = documents[number]
        return [*documents[:number], (change(document), at), *documents[number + 1 :]]

    return stream(changed)


def cut_out(begin: int, end: int) -> Change:
    """Leave out documents."""
    return stream(lambda documents, _: [*documents[:begin], *documents[end:]])


def scaled(factor: float) -> Change:
    """Scale every figure of energy."""

    def less(match: re.Match[bytes]) -> bytes:
        return match[1] + str(round(factor * int(match[2]))).encode()

    def changed(documents: Documents, _: Documents) -> Documents:
        return [(re.sub(rb"(_energy</key><integer>)(\d+)", less, text), at) for text, at in documents]

    return stream(changed)


def labelled_later(document: bytes, seconds: int = 2) -> bytes:
    """Label a reading as if it had ended later."""
    found = re.search(rb"T(\d\d):(\d\d):(\d\d)Z", document)
    assert found
    hours, minutes, rest = map(int, found.groups())
    total = (hours * 3600 + minutes * 60 + rest + seconds) % 86400
    label = f"T{total // 3600:02}:{total // 60 % 60:02}:{total % 60:02}Z"
    return document.replace(found[0], label.encode())


MIDDLE = 400
"""Number of a document that lies among the windows."""


def _forgeries() -> Iterable[Forgery]:
    """Name, check and change of each, the rows left as they were or written anew."""
    joules, speed = partial(column, "joules_per_token"), partial(column, "decode_tokens_per_s")
    as_they_were: list[tuple[str, str, Change]] = [
        ("joules less by 2 %", "rows", joules(lambda value: value / 1.02)),
        ("joules less by a millionth", "rows", joules(lambda value: value * (1 - 1e-6))),
        ("speed more by a thousandth", "rows", speed(lambda value: value * 1.001)),
        ("another verdict", "rows", column("verdict", lambda _: "saves")),
        ("another hash of tokens", "rows", column("tokens_sha256", lambda value: value[::-1])),
        ("energies less by 2 %", "rows", scaled(0.98)),
        ("under another chip", "place", under_another_chip),
    ]
    read = stream(lambda documents, _: [*documents[:MIDDLE], *documents[MIDDLE - 1 :]])
    taken = stream(lambda documents, other: [*documents[:MIDDLE], *other[MIDDLE : MIDDLE + 100]])
    gated = {"gate": "norm_fraction", "backend": "mlx"}
    written_anew: list[tuple[str, str, Change]] = [
        ("a reading left out", "time", cut_out(MIDDLE, MIDDLE + 1)),
        ("two seconds left out", "time", cut_out(MIDDLE, MIDDLE + 20)),
        ("a reading told twice", "time", read),
        ("a reading labelled later", "time", in_place(MIDDLE, labelled_later)),
        ("a window earlier", "windows", updated("slot", moved(-0.3, "start_s", "end_s"), **gated)),
        ("a window that ends later", "windows", updated("slot", moved(0.4, "end_s"), **gated)),
        ("a request left out", "windows", without("request", only_first=True, **gated)),
        ("a request told twice", "windows", records(request_twice)),
        ("no self-test", "self-test", without("self_test")),
        ("a self-test that found more", "self-test", updated("self_test", rises_more)),
        ("a self-test while nothing ran", "self-test", updated("self_test", gpu_asleep)),
        ("a self-test without windows", "self-test", updated("self_test", no_windows)),
        ("a window of the copy left out", "blocks", without("slot", only_first=True, a_a=True)),
        ("a block left out", "blocks", records(without_block)),
        ("never held against itself", "A/A", without("slot", a_a=True)),
        ("reads faster than its memory", "bandwidth", quick),
        ("another token", "answers", updated("request", another_token, gate="ungated")),
        ("an answer that is longer", "answers", updated("request", one_token_more, block=2)),
        ("readings of another run", "readings", stream(lambda _, other: other)),
        ("some readings of another run", "readings", taken),
    ]
    for name, check, change in as_they_were:
        yield Forgery(name=name, check=check, change=change, retold=False)
    for name, check, change in written_anew:
        yield Forgery(name=name, check=check, change=change)


FORGERIES = tuple(_forgeries())
