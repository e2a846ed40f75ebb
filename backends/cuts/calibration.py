"""The text that a cut is fitted to: a file, or one that comes along; its hash is part of the cut's value."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from backends.base import RequestError

PIECE_TOKENS = 1024
"""A long text is read in pieces of so many tokens, or of the model's context if that is shorter."""
OWN = Path(__file__).parent / "calibration.txt"


class Calibrated(BaseModel):
    """A cut's value with a text. A run records the hash, so another text is another cut."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: str | None = None
    """A text file, from the current folder; None: the text that comes along."""
    sha256: str | None = None
    """Of the text; filled in where it is left out, and held against the text where it is given."""

    @model_validator(mode="after")
    def _know_the_text(self) -> Calibrated:
        if self.sha256 is None:
            object.__setattr__(self, "sha256", hashlib.sha256(_bytes(self.text)).hexdigest())
        return self

    def content(self) -> str:
        """The text.

        Raises:
            RequestError: It can't be read, or is not the one of the hash.
        """
        try:
            content = _bytes(self.text)
        except ValueError as error:
            raise RequestError(str(error)) from None
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise RequestError(
                f"the text {self.text or OWN.name} has SHA-256 {found[:12]}, the cut was made for "
                f"{str(self.sha256)[:12]}",
                fix="restore the text, or leave sha256 out",
            )
        return content.decode()


def _bytes(name: str | None) -> bytes:
    try:
        content = (OWN if name is None else Path(name).expanduser()).read_bytes()
    except OSError as error:
        raise ValueError(f"can't read the text {name!r} ({error.strerror}); give a text file") from None
    try:
        empty = not content.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if empty:
        raise ValueError(f"{name} has no text in it; give another file")
    return content
