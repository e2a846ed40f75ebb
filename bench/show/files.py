"""Files that appear whole or not at all, one or several together.

Whatever is written grows beside its place under a hidden name that nobody else has, and is moved there in one
step. A file that can be made again replaces the one before it; nothing else is removed.
"""

from __future__ import annotations

import csv
import errno
import io
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bench.errors import UserError
from bench.show.safe_text import csv_cell

OTHER_FILE = "choose another file"


def write(file: Path, content: str | bytes, *, instead: str = OTHER_FILE) -> Path:
    """Write a file; returns its path.

    Args:
        file: its folder exists.
        content: text is written as UTF-8.
        instead: what to do where it can't be written, as the error ends.

    Raises:
        UserError: it can't be written.
    """
    with growing(file, instead=instead) as staging:
        staging.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def check_new(file: Path) -> None:
    """What a person may have edited is never overwritten.

    Raises:
        UserError: the file exists, or its folder doesn't.
    """
    if file.exists():
        raise UserError(f"{file} exists and is not overwritten", fix="give another name")
    if not file.parent.is_dir():
        raise UserError(f"{file.parent} is no folder", fix=f"make it first: mkdir -p {file.parent}")


@contextmanager
def growing(file: Path, *, instead: str = OTHER_FILE) -> Iterator[Path]:
    """Where to write what becomes `file` at the end, unless something goes wrong before.

    Raises:
        UserError: it can't be written.
    """
    staging = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        yield staging
        _move(staging, file)
    except OSError as error:
        raise UserError(f"can't write {file} ({error.strerror})", fix=instead) from None
    finally:
        staging.unlink(missing_ok=True)


@contextmanager
def together(
    folder: Path, *, last: str | None = None, instead: str = "choose another folder with --out"
) -> Iterator[Path]:
    """An empty folder to write into; at the end all its files stand in `folder`, which is made if need be.

    Args:
        folder: where they go.
        last: name of the file that is moved last, because it names the others.
        instead: what to do where they can't be written, as the error ends.

    Raises:
        UserError: they can't be written.
    """
    staging = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix=".staging-", dir=folder))
        yield staging
        files = [file for file in staging.rglob("*") if file.is_file()]
        for file in sorted(files, key=lambda file: file.name == last):
            place = folder / file.relative_to(staging)
            place.parent.mkdir(parents=True, exist_ok=True)
            _move(file, place)
    except OSError as error:
        raise UserError(f"can't write to {folder} ({error.strerror})", fix=instead) from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _move(file: Path, place: Path) -> None:
    if place.exists() and not place.is_file():  # else `--out /dev/null` of root would put a file in its place
        raise FileExistsError(errno.EEXIST, "it is there and is no file")
    file.replace(place)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> str:
    """Rows as CSV; no cell of it is a formula, and what was not measured is empty.

    Args:
        columns: names; a mapping that lacks one has nothing to say about it.
        rows: by name, or in the order of the columns.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(map(csv_cell, columns))
    for row in rows:
        cells = [row.get(name) for name in columns] if isinstance(row, Mapping) else row
        writer.writerow(map(csv_cell, cells))
    return text.getvalue()
