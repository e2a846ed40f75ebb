"""Text files that a person names: read whole, as UTF-8, up to a size; TOML in them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from bench.errors import UserError

MOST_BYTES = 2**26
"""Of a file that a person writes or a data set has; `/dev/zero` has more."""


def path_of(name: str, *, beside: Path = Path()) -> Path:
    """The path that a name means; `~` is the home of a user.

    Raises:
        UserError: there is no such user.
    """
    try:
        return beside / Path(name).expanduser()
    except RuntimeError:
        raise UserError(
            f"{name!r} is in the home of a user who is not known here", fix="write it out"
        ) from None


def bytes_of(file: Path, *, what: str, fix: str) -> bytes:
    """All of a file.

    Args:
        file: its path.
        what: it holds, such as `the suite`.
        fix: what to do if it can't be read.

    Raises:
        UserError: it can't be read, or is too large.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"can't read {what} {str(file)[:200]!r} ({why})", fix=fix) from None
    if len(content) > MOST_BYTES:
        raise UserError(f"{what} {str(file)!r} is longer than {MOST_BYTES >> 20} MiB", fix=fix)
    return content


def text_of(file: Path, *, what: str, fix: str) -> str:
    """The same as text.

    Raises:
        UserError: as `bytes_of`, or it is not UTF-8.
    """
    try:
        return bytes_of(file, what=what, fix=fix).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: byte {error.start} is not UTF-8", fix="save the file as UTF-8") from None


def toml_of(text: str, *, file: Path) -> dict[str, Any]:
    """The tables of a TOML text; `file` is only for messages.

    Raises:
        UserError: it is not TOML, or holds what Python can't read: a number too long, tables too deep.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib.TOMLDecodeError is a ValueError
        raise UserError(f"{file}: not valid TOML: {error}", fix="mend that place") from None
