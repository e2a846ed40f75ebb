"""What was claimed: `configs/claims/*.toml`, one table per claim.

A table holds words and what re-runs the claim. Its figures are computed by `analysis.published` under the
same name, from the published record.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import UserError, nearest
from bench.suite.bundled import configs_folder
from bench.suite.suite_file import invalid

Amount = Literal["tokens", "tokens_processed", "energy", "energy_per_token"]
COUNTED: tuple[Amount, ...] = ("tokens", "tokens_processed")
"""Amounts that no protocol of energy touches."""
Whose = Literal["paper", "literature", "inference"]


class Statement(BaseModel):
    """One claim in words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    paper: str = Field(min_length=1)
    """`FP` or `RC` for the two papers, `literature`, or whose it is."""
    whose: Whose = "paper"
    """Who says so: the paper named above, the wider literature, or this project, which infers it from the
    paper's figures."""
    text: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where the published figures stand."""
    recompute: str | None = None
    """The file that recomputes them; None for a claim that brings its figures along."""
    suite: str | None = None
    """What re-runs the claim; None where no suite can."""
    gate: str | None = None
    """Label of the arm that is judged against the ungated one."""
    amount: Amount | None = None
    controls: tuple[str, ...] = ()
    """Labels of arms that a clever gate has to beat."""

    @model_validator(mode="after")
    def _can_be_rerun_or_not(self) -> Statement:
        if len({self.suite is None, self.gate is None, self.amount is None}) > 1:
            raise ValueError("suite, gate and amount belong together: give all three or none")
        return self


@cache
def statements() -> dict[str, Statement]:
    """All claims by name, in the order of their files.

    Raises:
        UserError: a file is not what it should be.
    """
    by_name: dict[str, Statement] = {}
    for family in ("routing", "isolation", "correlation", "redundancy", "literature"):
        file = configs_folder() / "claims" / f"{family}.toml"
        for name, table in tomllib.loads(file.read_text(encoding="utf-8")).items():
            try:
                by_name[name] = Statement.model_validate({"name": name, **table})
            except ValidationError as error:
                raise invalid(f"{file}, claim {name!r}", error, Statement) from None
    return by_name


def choose(names: Sequence[str], added: Mapping[str, Statement] | None = None) -> list[Statement]:
    """The claims of these names, or of all names that begin with one.

    Args:
        names: none means all: those that were added, where some were.
        added: claims of the user's own, by name.

    Raises:
        UserError: a name fits no claim.
    """
    known = {**statements(), **(added or {})} if names or not added else added
    chosen: dict[str, Statement] = {} if names else dict(known)
    for name in names:
        fitting = {key: claim for key, claim in known.items() if f"{key}.".startswith(f"{name}.")}
        if not fitting:
            families = {key.rpartition(".")[0] for key in known}
            hint = nearest(name, families | known.keys())
            raise UserError(f"unknown claim {name!r}", fix=f"{hint}; list them: bench reproduce")
        chosen |= fitting
    return list(chosen.values())


def suites(names: Sequence[str]) -> list[str]:
    """What re-runs these claims, each suite once.

    Raises:
        UserError: no claim is named, one is unknown, or no suite re-runs any of them.
    """
    if not names:
        raise UserError(
            "no claim is named, so no suite is to be run",
            fix="name some: bench reproduce routing.short --measure",
        )
    chosen = {claim.suite: None for claim in choose(names) if claim.suite is not None}
    if not chosen:
        raise UserError(
            f"no suite re-runs {', '.join(names)}", fix=f"see what would test it: bench reproduce {names[0]}"
        )
    return list(chosen)
