"""Are the machines alike? All are asked before anything runs; one that differs from most is left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bench.fleet.reach import HostFailed, Reached
from bench.fleet.sent import SentSuite
from bench.run.readiness import SuiteHere
from bench.typed import from_json

_SHOWN = 12
"""Characters of a hash."""


async def ask_doctor(there: Reached, suites: Sequence[SentSuite], folder: str) -> list[SuiteHere]:
    """Ask a machine what it would run, in the order of the suites.

    Args:
        there: the machine, to which the suites have been sent.
        suites: to ask about.
        folder: in which each has a folder of its own.

    Raises:
        HostDropped: the connection broke.
        HostFailed: it does not say.
    """
    options = [part for suite in suites for part in ("--suite", f"{suite.label}/{suite.file}")]
    lines: list[str] = []
    code, said = await there.bench("doctor", "--json", *options, folder=folder, on_line=lines.append)
    try:
        told = from_json(list[SuiteHere], json.loads("\n".join(lines))["suites"])
    except (ValueError, LookupError, TypeError):
        why = said or f"exit code {code}"
        raise HostFailed(f"bench doctor does not say what it would run there: {why}") from None
    if len(told) != len(suites):
        raise HostFailed(f"bench doctor tells of {len(told)} suites there, not of {len(suites)}")
    return told


def unlike(told: Mapping[str, SuiteHere], suite: SentSuite) -> Iterator[tuple[str, str]]:
    """The machines that would run something else than most, each with what is unlike.

    Args:
        told: what each machine says of one suite, in the order of the hosts.
        suite: as it was sent.
    """
    for host, here in told.items():
        if here.refused is not None:
            yield host, here.refused
        elif here.suite_sha256 != suite.sha256:
            yield host, f"the suite is not as it was sent: {_short(here.suite_sha256)}"
    alike = {host: _facts(here) for host, here in told.items() if here.refused is None}
    for what in dict.fromkeys(what for facts in alike.values() for what in facts):
        usual, count = Counter(facts.get(what) for facts in alike.values()).most_common(1)[0]
        for host, facts in alike.items():
            if facts.get(what) != usual:
                most = "the first machine has" if count == 1 else f"{count} machines have"
                yield host, f"{what} is {_short(facts.get(what))}, {most} {_short(usual)}"


def _facts(here: SuiteHere) -> dict[str, str | None]:
    """What has to be alike."""
    weights = {f"the hash of the weights of {key}": sha for key, sha in here.weights_sha256.items()}
    versions = {f"the version of {name}": version for name, version in here.versions.items()}
    return {"the hash of the prompts": here.prompts_sha256, **weights, **versions}


def _short(value: str | None) -> str:
    return "none" if value is None else value[:_SHOWN] if len(value) >= 40 and " " not in value else value
