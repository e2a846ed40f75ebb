"""Real SSH servers on loopback that stand for machines: each has a home folder, a host key, and a `bench`.

They are asyncssh's, so no root and no `sshd` is needed. A command is run by a shell, as `sshd` does, with the
home for its folder; files are served from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER = "lab"
Answer = Callable[[Any], Awaitable[int | None]]
"""Answers a command of a server process, in place of a shell: its exit code, or None if it was killed."""
BENCH = f"""#!/bin/sh
exec {sys.executable} -P -c "from bench.cli.entry import main; main()" "$@"
"""


@dataclass
class MadeHost:
    """A machine that is none."""

    name: str
    home: Path
    key: Any
    """Of the host."""
    trusted: Path
    """File of the keys of whoever may log in."""
    answer: Answer | None = None
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    commands: list[str] = field(default_factory=list)
    """What it was asked to run."""
    running: set[asyncio.subprocess.Process] = field(default_factory=set)
    connections: set[Any] = field(default_factory=set)
    _listener: Any = None

    async def start(self) -> None:
        """Listen, on the port that it had before if it had one."""
        self._listener = await asyncssh.create_server(
            lambda: _Lasting(self),
            "127.0.0.1",
            self.port,
            server_host_keys=[self.key],
            authorized_client_keys=str(self.trusted),
            process_factory=self._process,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(self.home)),
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self, *, kill: bool = False) -> None:
        """Break every connection and answer no more; what runs goes on unless it is killed."""
        if kill:
            self.kill()
        self._listener.close()
        for connection in list(self.connections):
            connection.abort()
        await self._listener.wait_closed()

    def kill(self) -> None:
        """Kill every command with all that it has started."""
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def toml(self) -> str:
        """Its table in a file of hosts."""
        root = "allow_root = true\n" if os.geteuid() == 0 else ""
        bench = f'bench = "{self.home}/bench"\n'
        return (
            f'[hosts.{self.name}]\naddress = "127.0.0.1"\nport = {self.port}\nuser = "{USER}"\n{bench}{root}'
        )

    def known(self) -> str:
        """Its line in a file of known hosts."""
        return f"[127.0.0.1]:{self.port} {self.key.export_public_key().decode()}"

    async def _process(self, process: Any) -> None:
        self.commands.append(process.command)
        if self.answer is not None:
            code = await self.answer(process)
        else:
            code = await self._shell(process)
        if code is None or code < 0:
            process.exit_with_signal("KILL")
        else:
            process.exit(code)

    async def _shell(self, process: Any) -> int:
        started = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", process.command),
            cwd=self.home,
            env={**os.environ, "HOME": str(self.home), **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.running.add(started)
        try:
            await asyncio.gather(
                _pass_on(started.stdout, process.stdout), _pass_on(started.stderr, process.stderr)
            )
            return await started.wait()
        finally:
            self.running.discard(started)


class _Lasting(asyncssh.SSHServer):  # type: ignore[misc]
    """Remembers its connections, so that they can be broken."""

    def __init__(self, host: MadeHost) -> None:
        self._host, self._connection = host, None

    def connection_made(self, connection: Any) -> None:
        """Somebody has come."""
        self._connection = connection
        self._host.connections.add(connection)

    def connection_lost(self, _: BaseException | None) -> None:
        """Somebody has left."""
        self._host.connections.discard(self._connection)


async def _pass_on(source: Any, out: Any) -> None:
    """Whatever is printed, as long as somebody listens."""
    while piece := await source.read(2**16):
        with contextlib.suppress(BrokenPipeError, ConnectionError, asyncssh.Error, AssertionError):
            out.write(piece.decode(errors="replace"))


def make_host(folder: Path, name: str, **facts: Any) -> MadeHost:
    """A machine with its home below a folder, which has the key of its user; it does not listen yet."""
    home = folder / name
    home.mkdir(parents=True)
    (home / "bench").write_text(BENCH)
    (home / "bench").chmod(0o755)
    key = asyncssh.generate_private_key("ssh-ed25519")
    return MadeHost(name=name, home=home, key=key, trusted=_user_key(folder).with_suffix(".pub"), **facts)


def _user_key(folder: Path) -> Path:
    file = folder / "id_ed25519"
    if not file.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(file))
        key.write_public_key(str(file.with_suffix(".pub")))
    return file


def write_hosts(folder: Path, hosts: Sequence[MadeHost], *, patience_s: float = 60.0) -> Path:
    """The file of hosts that listen, and beside it that of their keys."""
    known = folder / "known_hosts"
    known.write_text("".join(host.known() for host in hosts))
    key = f'key = "{_user_key(folder)}"\n'
    head = f'known_hosts = "{known}"\npatience_s = {patience_s}\n'
    file = folder / "hosts.toml"
    file.write_text(head + "".join(host.toml() + key for host in hosts))
    return file


@asynccontextmanager
async def listening(hosts: Sequence[MadeHost]) -> AsyncIterator[Sequence[MadeHost]]:
    """They listen for as long as the block lasts; at its end nothing of them is left."""
    for host in hosts:
        await host.start()
    try:
        yield hosts
    finally:
        for host in hosts:
            await host.stop(kill=True)
