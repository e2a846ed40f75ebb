"""A machine over SSH, by asyncssh: its commands and its files.

Its host key must stand in the file of known hosts, and whoever logs in has a key: no password is asked for.
What a machine says is not believed: names of files are names and no paths, and there are only so many.
"""

from __future__ import annotations

import asyncio
import shlex
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from bench.errors import RunFailed
from bench.fleet.hosts import FleetHost
from bench.run import door
from bench.show.safe_text import first_line, one_line

CONNECT_S, ALIVE_S, ALIVE_TRIES = 20.0, 15.0, 3
"""A machine that has not answered three times in a row, 15 s apart, has dropped out."""
LONGEST_LINE = 2**22
"""Of what a command prints; a report has some ten thousand characters."""
PIECE_BYTES = 2**18


class HostFailed(RunFailed):
    """A machine that can't do what it is asked; trying again would not help."""


class HostDropped(HostFailed):
    """A machine that can't be reached, or no longer; later it may."""


class Reached:
    """A machine that one is logged in to.

    Args:
        name: of the machine.
        host: how it is reached.
        connection: of asyncssh.
        sftp: its client for files.
    """

    def __init__(self, name: str, host: FleetHost, connection: Any, sftp: Any) -> None:
        self.name, self.host = name, host
        self._connection, self._sftp = connection, sftp

    async def bench(
        self, *arguments: str, folder: str, on_line: Callable[[str], None] | None = None
    ) -> tuple[int | None, str]:
        """Run `bench` in a folder, to its end.

        Args:
            arguments: of the command.
            folder: of the machine.
            on_line: is told every line that it prints.

        Returns:
            Its exit code, None if it was killed; and the last line of its standard error.

        Raises:
            HostDropped: the connection broke before it ended.
            HostFailed: the program is not there.
        """
        command = f"cd {_quoted(folder)} && exec {_quoted(self.host.bench)} {shlex.join(arguments)}"
        code, said = await self.shell(command, on_line or (lambda _: None))
        if code in (126, 127):
            raise HostFailed(
                f"{self.host.bench!r} can't be started: {said}",
                fix=f"say where the program is there, in the file of hosts: [hosts.{self.name}] bench = ...",
            )
        return code, said

    async def shell(self, command: str, on_line: Callable[[str], None]) -> tuple[int | None, str]:
        """Run a command line; returns and raises as `bench`."""
        import asyncssh

        try:
            process = await self._connection.create_process(
                command, stdin=asyncssh.DEVNULL, encoding="utf-8", errors="replace"
            )
            said: list[str] = []
            await asyncio.gather(
                _each_line(process.stdout, on_line), _each_line(process.stderr, lambda one: said.append(one))
            )
            await process.wait_closed()
        except (OSError, asyncssh.Error) as error:
            raise HostDropped(f"the connection broke ({first_line(error)})") from None
        if process.exit_status is None and process.exit_signal is None:
            raise HostDropped("the connection broke")
        was_killed = process.exit_signal is not None or process.exit_status in _KILLED
        return None if was_killed else process.exit_status, one_line(said[-1]) if said else ""

    async def send(self, content: Mapping[str, bytes], folder: str) -> None:
        """Write files into a folder, which is made; those that are there are replaced.

        Raises:
            HostDropped: the connection broke.
            HostFailed: they can't be written.
        """
        with _told(f"can't write to {folder}"):
            for name, data in content.items():
                file = PurePosixPath(folder, name)
                await self._sftp.makedirs(str(file.parent), exist_ok=True)
                async with self._sftp.open(str(file), "wb") as out:
                    await out.write(data)

    async def names(self, folder: str) -> list[str]:
        """What is in a folder, without what is hidden, sorted; nothing if there is no such folder."""
        with _told(f"can't read {folder}"):
            if not await self._sftp.isdir(folder):
                return []
            return sorted(name for name in await self._sftp.listdir(folder) if not name.startswith("."))

    async def fetch(self, folder: str, to: Path) -> None:
        """Copy a run folder into one that is made: plain files, no more and no larger than such a folder has.

        Raises:
            HostDropped: the connection broke.
            HostFailed: it holds anything else, or can't be read.
        """
        with _told(f"can't fetch {folder}"):
            files = [found async for found in _plain_files(self._sftp, PurePosixPath(folder))]
            if len(files) > door.MOST_FILES:
                raise HostFailed(f"{folder} holds more than {door.MOST_FILES:,} files")
            for file, size in files:
                place = to / file.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                await _copy(self._sftp, file, place, size)


_KILLED = (137, 143)
"""Exit codes that a shell gives for a command that was killed."""


@asynccontextmanager
async def reached(name: str, host: FleetHost, known_hosts: Path) -> AsyncIterator[Reached]:
    """Log in to a machine.

    Args:
        name: of the machine.
        host: how it is reached.
        known_hosts: file of host keys.

    Raises:
        HostDropped: it does not answer.
        HostFailed: it is not the machine that is known, or lets nobody in.
    """
    import asyncssh

    address = host.address or name
    asked: dict[str, Any] = {"port": host.port, "username": host.user}
    asked |= {"client_keys": [str(Path(host.key).expanduser())] if host.key else None}
    try:
        connection = await asyncssh.connect(
            address,
            known_hosts=str(known_hosts),
            password_auth=False,
            kbdint_auth=False,
            connect_timeout=CONNECT_S,
            login_timeout=CONNECT_S,
            keepalive_interval=ALIVE_S,
            keepalive_count_max=ALIVE_TRIES,
            **{key: value for key, value in asked.items() if value is not None},
        )
    except asyncssh.HostKeyNotVerifiable:
        place = f"'[{address}]:{host.port}'" if host.port else address
        raise HostFailed(
            f"the key of {address} is not the one in {known_hosts}",
            fix=f"if it is the same machine: ssh-keygen -R {place}, then log in to it once with ssh",
        ) from None
    except asyncssh.PermissionDenied:
        raise HostFailed(f"{address} takes none of your keys", fix=f"ssh-copy-id {address}") from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise HostFailed(f"the key can't be read ({first_line(error)})", fix="ssh-add it") from None
    except (OSError, TimeoutError, asyncssh.Error) as error:
        raise HostDropped(f"{address} can't be reached ({first_line(error)})") from None
    async with connection:
        with _told("it serves no files"):
            sftp = await connection.start_sftp_client()
        yield Reached(name, host, connection, sftp)


def _quoted(path: str) -> str:
    """A path for a shell, which knows where the home is."""
    return f'"$HOME"/{shlex.quote(path[2:])}' if path.startswith("~/") else shlex.quote(path)


async def _each_line(stream: Any, on_line: Callable[[str], None]) -> None:
    """Tell every line of a stream; one that is too long is dropped."""
    rest = ""
    while piece := await stream.read(PIECE_BYTES):
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            on_line(line)
        if len(rest) > LONGEST_LINE:
            rest = ""
    if rest:
        on_line(rest)


@contextmanager
def _told(failed: str) -> Iterator[None]:
    """What goes wrong with files is said in a line that begins so."""
    import asyncssh

    try:
        yield
    except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, asyncssh.DisconnectError) as error:
        raise HostDropped(f"{failed} ({first_line(error)})") from None
    except (OSError, asyncssh.Error) as error:
        raise HostFailed(f"{failed} ({first_line(error)})") from None


async def _plain_files(sftp: Any, folder: PurePosixPath) -> AsyncIterator[tuple[PurePosixPath, int]]:
    """Every file of a folder with its size; hidden ones and the lock of the writer are left out."""
    waiting, seen = [folder], 0
    while waiting:
        place = waiting.pop()
        async for entry in sftp.scandir(str(place)):
            name, mode = str(entry.filename), entry.attrs.permissions or 0
            seen += 1
            if seen > door.MOST_FILES or "/" in name or "\0" in name:
                raise HostFailed(f"{folder} is no run folder: too many files, or the name {name[:40]!r}")
            if name.startswith("."):
                continue
            if stat.S_ISDIR(mode):
                waiting.append(place / name)
            elif not stat.S_ISREG(mode):
                raise HostFailed(f"{place / name} is no plain file")
            else:
                yield place / name, entry.attrs.size or 0


async def _copy(sftp: Any, file: PurePosixPath, place: Path, size: int) -> None:
    """Copy a file of so many bytes, and no more."""
    if size > door.MOST_BYTES and file.name not in door.IN_PIECES:
        raise HostFailed(f"{file} has {size:,} bytes, more than {door.MOST_BYTES:,}")
    async with sftp.open(str(file), "rb") as source:
        with place.open("wb") as out:
            left = size
            while left > 0 and (piece := await source.read(min(PIECE_BYTES, left))):
                out.write(piece)
                left -= len(piece)
    if left:
        raise HostDropped(f"{file} is {left:,} bytes shorter than it should be")
