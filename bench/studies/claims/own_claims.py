"""Claims of a user's own: a TOML file in the form of `configs/claims`, with the published figures in it.

["my.gate"]
paper = "Somebody 2026"
text = "The gate saves 40 % of the energy"
source = "table 3"
published_percent = -40.0                            # what is claimed; negative for a saving
record = { before = 10.2, after = 6.3, again = 10.0, unit = "J" }   # what was published: again is the A/A
suite = "my.toml"                                    # what re-runs it, beside this file
gate = "my_gate"
amount = "energy"
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analysis.claims import Claim, claim_of_record
from bench.errors import UserError
from bench.studies.claims.statements import Statement, statements
from bench.suite.reading import text_of, toml_of
from bench.suite.suite_file import invalid


class PublishedRecord(BaseModel):
    """Published figures that a change follows from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: float = Field(gt=0)
    after: float = Field(gt=0)
    again: float | None = Field(default=None, gt=0)
    """The same as `before`, measured once more: what the protocol reports for no change."""
    unit: str = ""


class AddedStatement(Statement):
    """A claim in words and figures."""

    published_percent: float = Field(gt=-100)
    record: PublishedRecord | None = None

    @property
    def claim(self) -> Claim:
        """What follows from the published figures alone."""
        record = self.record
        return claim_of_record(
            self.name,
            published_percent=self.published_percent,
            record=None if record is None else (record.before, record.after, record.again),
            unit=record.unit if record else "",
            would_test=f"bench run {self.suite}" if self.suite else None,
        )


def read_claims(files: Sequence[Path]) -> dict[str, AddedStatement]:
    """The claims of these files by name.

    Raises:
        UserError: a file can't be read, is not such a file, or takes a name that is taken.
    """
    by_name: dict[str, AddedStatement] = {}
    for file in files:
        for name, table in _tables(file).items():
            if name in by_name or name in statements():
                raise UserError(f"{file}: there is a claim {name!r} already", fix="give it another name")
            try:
                claim = AddedStatement.model_validate({"name": name, **table})
            except ValidationError as error:
                raise invalid(f"{file}, claim {name!r}", error, AddedStatement) from None
            beside = file.parent / claim.suite if claim.suite else None
            by_name[name] = claim.model_copy(update={"suite": str(beside)}) if _is_file(beside) else claim
    return by_name


def _is_file(beside: Path | None) -> bool:
    try:
        return beside is not None and beside.is_file()
    except (OSError, ValueError):  # no file can have this name
        return False


def _tables(file: Path) -> dict[str, dict[str, object]]:
    tables = toml_of(text_of(file, what="the claims", fix="give a TOML file"), file=file)
    if not tables or not all(isinstance(table, dict) for table in tables.values()):
        raise UserError(f"{file} holds no claims", fix='a claim is a table: ["my.claim"]')
    return tables
