"""A gate from outside the project: an entry point and one module."""

from __future__ import annotations

import json

from tests.bench.at_hand import QUICK
from tests.bench.processes import of_type
from tests.bench.suites import write_suite
from tests.outside.conftest import Outside

MODULE = '''
from dataclasses import dataclass

from bench.suite.gates.base import FULL, SMALL, Budget, TwoWay


@dataclass(frozen=True, kw_only=True)
class Parity(TwoWay):
    remainder: int

    def is_small(self, ids):
        return len(ids) % 2 == self.remainder


def parity(*, remainder: int = 0, full: Budget = FULL, small: Budget = SMALL) -> Parity:
    """Small budget for an even number of tokens.

    Args:
        remainder: 0 for even numbers, 1 for odd ones.
        full: budget of the other prompts.
        small: the small budget.
    """
    if remainder not in (0, 1):
        raise ValueError(f"remainder = {remainder}; give 0 or 1")
    return Parity(full=full, small=small, remainder=remainder)
'''
FILES = ["parity.py", "somebody-1.0.dist-info/METADATA", "somebody-1.0.dist-info/entry_points.txt"]


def test_a_new_gate_runs_is_listed_and_has_its_options_checked(outside: Outside) -> None:
    outside.add("gates", "parity", where="parity:parity", text=MODULE)
    assert outside.files == FILES

    listed = {
        p["name"]: p
        for p in json.loads(outside.works("doctor", "--plugins", "--json"))
        if p["group"] == "gates"
    }
    assert listed["parity"]["distribution"] == "somebody"
    assert listed["parity"]["options"]["remainder"] == "0"
    assert listed["parity"]["meanings"]["remainder"] == "0 for even numbers, 1 for odd ones."

    gates = {"ungated": {}, "parity": {"remainder": 1}}
    outside.run(write_suite(outside.cwd, gates=gates, **QUICK))
    requests = [r for r in of_type(outside.cwd / "results", "request") if r["gate"] == "parity"]
    sizes = {r["prompt_id"]: (r["prompt_tokens"], r["model"]) for r in requests}
    assert sizes == {"short": (10, "full"), "long": (27, "small")}

    unknown = write_suite(outside.cwd, gates={"ungated": {}, "parity": {"remainders": 1}})
    assert "no option 'remainders'; did you mean 'remainder'" in outside.refused("run", str(unknown))
    wrong = write_suite(outside.cwd, gates={"ungated": {}, "parity": {"remainder": 2}})
    assert "remainder = 2; give 0 or 1" in outside.refused("run", str(wrong))
