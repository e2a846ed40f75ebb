"""`run.json`: what was asked for and where. Written whole when a run starts, and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class SuiteFile:
    """The suite as it was when the run was started."""

    name: str
    path: str
    sha256: str
    text: str

    @property
    def stem(self) -> str:
        """Name of its file without folder and ending, such as `smoke`."""
        return Path(self.path).stem


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What the command line set in place of the suite's own; None: as in the suite."""

    backends: list[str] | None = None
    blocks: int | None = None
    until_settled: bool = False
    """Whether the run ends at the first look that has every verdict."""
    plain: bool | None = None
    """Whether prompts are plain text, whatever the suite says of chats (`--no-chat`).

    None in runs of versions that knew no chats: plain text."""
    as_published: bool = False
    """Whether the run repeats the papers' protocol: `bench.suite.prepare.as_published`."""


@dataclass(frozen=True, kw_only=True)
class EnergyAsked:
    """The meter that was asked for."""

    source: str
    options: dict[str, Any] = field(default_factory=dict)
    cross_check: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PromptsUsed:
    """The prompt set; its texts are not stored."""

    file: str
    sha256: str
    ids: list[str]


@dataclass(frozen=True, kw_only=True)
class ModelFound:
    """A model of the suite, as it was found on this machine."""

    name: str
    revision: str | None = None
    weight_sha256: str | None = None
    dtype: str | None = None
    """In which it was asked to run."""
    layers: int | None = None
    saved_as: str | None = None
    """What its folder says: `bfloat16`, `8 bits`."""
    file_sha256: dict[str, str] | None = None
    """Of each weight file and of what is read beside them, by name; null in runs of versions before that."""
    url: str | None = None
    """Of the server that runs it."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """The machine; None where it could not be found out."""

    system: str | None = None
    machine: str | None = None
    cpu_cores: int | None = None
    memory_bytes: int | None = None
    load_1min: float | None = None
    chip: str | None = None
    hw_model: str | None = None
    gpu_cores: int | None = None
    os_version: str | None = None
    os_build: str | None = None
    power_source: str | None = None
    power_mode: str | None = None
    """automatic, low or high."""
    low_power_mode: bool | None = None
    """In runs of versions that did not know the high mode."""

    @property
    def mode(self) -> str | None:
        """The power mode, of older runs too."""
        if self.power_mode is not None or self.low_power_mode is None:
            return self.power_mode
        return "low" if self.low_power_mode else "automatic"


@dataclass(frozen=True, kw_only=True)
class Git:
    """The checkout that the program ran from."""

    commit: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep adds to the suite that it made."""

    swept: list[str]
    points: list[dict[str, Any]]
    """Label and cut of each."""
    reading: dict[str, Any]
    """How its text is read: `bench.studies.cuts.texts.Reading`."""
    text_sha256: str


@dataclass(frozen=True, kw_only=True)
class RunHeader:
    """All of run.json."""

    run_id: str = ""
    """Like the next given when the folder is made."""
    started_utc: str = ""
    suite: SuiteFile
    overrides: Overrides
    energy: EnergyAsked
    backends: list[str]
    baseline: str
    """Gate label of the ungated arm."""
    threshold: float
    """Practical threshold of the suite, as a fraction."""
    gates: list[str]
    looks: list[int] = field(default_factory=list)
    """Blocks after which the verdict was to be looked at; empty in runs of versions that did not say."""
    prompts: PromptsUsed
    sweep: Sweep | None = None
    models: dict[str, ModelFound] = field(default_factory=dict)
    """By key."""
    host: Host = Host()
    packages: dict[str, str | None] = field(default_factory=dict)
    python: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    git: Git | None = None
    """None for an installed wheel."""
