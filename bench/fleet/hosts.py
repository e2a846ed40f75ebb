"""The file that names the machines of a fleet.

    known_hosts = "~/.ssh/known_hosts"       # the default

    [hosts.studio]
    address = "studio.local"                 # the name itself without
    user = "lab"
    bench = "~/joulebench/.venv/bin/bench"   # where the program is there

Who may log in is decided by keys and the agent, as with `ssh`; there is no key for a password.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bench.errors import UserError
from bench.suite.reading import path_of, text_of, toml_of
from bench.suite.suite_file import invalid

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""A host's name is that of a folder too."""


class FleetHost(BaseModel):
    """How a machine is reached; what is not said is as `~/.ssh/config` says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str | None = None
    """Its name on the network; the one in the file without."""
    port: int | None = Field(default=None, ge=1, le=65535)
    user: str | None = None
    key: str | None = None
    """A file with a private key; the agent's and the usual ones without."""
    bench: str = "bench"
    """The program there. A shell that is not logged in often finds no more than /usr/bin."""
    folder: str = "joulebench-fleet"
    """Where it works there, from the user's home."""
    allow_root: bool = False
    """Run models as root: in a container that has no other user."""


class HostsFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    known_hosts: str = "~/.ssh/known_hosts"
    """A machine whose key does not stand there is not spoken to."""
    patience_s: float = Field(default=600.0, ge=0)
    """For so long a machine that has dropped out is tried again before its job has failed."""
    hosts: dict[str, FleetHost] = Field(min_length=1)

    @field_validator("hosts")
    @classmethod
    def _named(cls, hosts: dict[str, FleetHost]) -> dict[str, FleetHost]:
        for name in hosts:
            if not _NAME.fullmatch(name):
                raise ValueError(f"the name {name!r} is no name of a folder: use letters, digits and -")
        return hosts


def read_hosts(file: Path) -> HostsFile:
    """Read the file.

    Raises:
        UserError: it can't be read, or something in it is wrong.
    """
    text = text_of(
        file, what="the hosts", fix="name the file of the machines first: bench fleet hosts.toml quick"
    )
    data = toml_of(text, file=file)
    try:
        asked = HostsFile.model_validate(data)
    except ValidationError as error:
        raise invalid(f"{file}", error, HostsFile) from None
    for name in [asked.known_hosts, *(host.key for host in asked.hosts.values() if host.key)]:
        path_of(name)
    return asked


def known_hosts_file(hosts: HostsFile) -> Path:
    """The file of the keys that are known.

    Raises:
        UserError: there is none, so no machine can be known.
    """
    file = path_of(hosts.known_hosts)
    if not file.is_file():
        name, host = next(iter(hosts.hosts.items()))
        raise UserError(
            f"{file} is not there, so no machine can be recognised",
            fix=f"log in to each once, and look at its key: ssh {host.address or name}",
        )
    return file
