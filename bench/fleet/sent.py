"""What is sent to a machine: the text of a suite and of its prompts, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bench.errors import UserError
from bench.suite.prompts import bundled_set
from bench.suite.reading import bytes_of
from bench.suite.suite_file import find_suite, load_suite


@dataclass(frozen=True, kw_only=True)
class SentSuite:
    """A suite with the files that it reads from beside itself."""

    label: str
    """The name of its file without the ending; of a folder too."""
    text: str
    files: dict[str, str]
    """Text of its prompts, by path beside the suite."""

    @property
    def sha256(self) -> str:
        """Hash of the suite's text, as a run folder has it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def file(self) -> str:
        """Name of its file there."""
        return f"{self.label}.toml"

    @property
    def content(self) -> dict[str, bytes]:
        """All files, by path."""
        return {self.file: self.text.encode(), **{name: text.encode() for name, text in self.files.items()}}


def suites_to_send(names: Sequence[str]) -> list[SentSuite]:
    """Read suites and their prompts.

    Args:
        names: files, or names of suites that come along.

    Raises:
        UserError: one is wrong, or reads a file that does not lie beside it; or two have one name.
    """
    suites = [_suite(name) for name in names]
    labels = [suite.label for suite in suites]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UserError(f"two suites are named {twice}", fix="give one of the files another name")
    return suites


def _suite(name: str) -> SentSuite:
    file = find_suite(name)
    suite, text = load_suite(file)
    files = {}
    if suite.prompts.file is not None and bundled_set(suite.prompts.file) is None:
        told = PurePosixPath(suite.prompts.file)
        if (
            told.is_absolute()
            or ".." in told.parts
            or told.parts[0].startswith("~")
            or told.name == file.name
        ):
            raise UserError(
                f"{file} reads the prompts {told}, which do not lie beside it",
                fix="put them into its folder, and name them without a path",
            )
        content = bytes_of(file.parent / told, what="the prompts", fix=f"name another file in {file}")
        try:
            files[str(told)] = content.decode()
        except UnicodeDecodeError:
            raise UserError(f"the prompts {file.parent / told} are not UTF-8", fix="convert them") from None
    return SentSuite(label=file.stem, text=text, files=files)
