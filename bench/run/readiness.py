"""What a suite would run on this machine: prompts, weights, versions, to be held beside other machines'."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.errors import UserError
from bench.run import host, start
from bench.suite import libraries, prepare
from bench.suite.suite_file import find_suite


@dataclass(frozen=True, kw_only=True)
class SuiteHere:
    """A suite on this machine; what is not known of one that is refused is empty."""

    file: str
    """As it was asked about."""
    refused: str | None = None
    """Why it can't be run here."""
    suite_sha256: str | None = None
    prompts_sha256: str | None = None
    weights_sha256: dict[str, str | None] = field(default_factory=dict)
    """By key of the model; null for a stand-in, which has none."""
    versions: dict[str, str | None] = field(default_factory=dict)
    """Of this program, and of what its backends run on."""


def suite_here(file: str) -> SuiteHere:
    """Look at everything that a suite names; weights are hashed, and nothing is fetched."""
    try:
        ready = prepare.prepare(find_suite(file))
        models = {key: start.model_found(ready, key) for key in ready.models}
    except UserError as error:
        return SuiteHere(file=file, refused=str(error))
    packages = [package for backend in ready.backends for package in libraries.about(backend).packages]
    versions = {name: host.version(name) for name in dict.fromkeys(["joulebench", "numpy", *packages])}
    git = host.git_state()
    if git is not None:
        versions["commit"] = f"{git.commit}{' with changes' if git.dirty else ''}"
    return SuiteHere(
        file=file,
        suite_sha256=ready.sha256,
        prompts_sha256=ready.prompts.sha256,
        weights_sha256={key: model.weight_sha256 for key, model in models.items()},
        versions=versions,
    )
