"""What must not leave a machine is taken out of a text: its user, its name, serial numbers, addresses, paths.

A path is kept where it is the same on every Mac; every other becomes `<path>`.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import unicodedata
from collections.abc import Iterable
from typing import Any

from energy import machine

_SAME_EVERYWHERE = ("/usr/", "/bin/", "/sbin/", "/System/", "/Library/Developer/", "/dev/", "/proc/", "/sys/")
_HOMES = re.compile(r'/(?:Users|home|Volumes)/[^/\n"]+')
"""Of others too; a space may be in them, so that more may go than had to."""
_SOME_HOME = "/Users/_"
_PATH = re.compile(r"(?<![\w</.])(?:~|/)(?:[^\s/'\":,;=<>(){}\[\]]+/?)+")
_NUMBERS = (
    (re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b"), "<address>"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<mail>"),
    (re.compile(r"(?i)(serial[^:=\n]{0,20}[:=]\s*)\S+"), r"\1<serial>"),
    (re.compile(r"\(id=\d+\)"), "(id=<number>)"),
)


def names_here() -> tuple[str, ...]:
    """Names of the user and of this machine, in every form that is known."""
    names = [os.environ.get(name, "") for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER")]
    names += [socket.gethostname(), os.uname().nodename]
    for uid in {os.getuid(), os.geteuid()}:
        try:
            user = pwd.getpwuid(uid)
        except KeyError:
            continue
        names += [user.pw_name, user.pw_gecos.split(",")[0]]
    names += [
        machine.ask("scutil", "--get", kind) or "" for kind in ("ComputerName", "LocalHostName", "HostName")
    ]
    return tuple(dict.fromkeys(filter(None, names)))


def homes_here() -> tuple[str, ...]:
    """Folders of this user, which a path may begin with even where a space is in it."""
    folders = [os.path.expanduser("~"), os.environ.get("HOME", ""), os.environ.get("TMPDIR", "").rstrip("/")]
    return tuple(folder for folder in dict.fromkeys(folders) if len(folder) > 1)


def anonymous(value: Any, *, names: Iterable[str], homes: Iterable[str] = ()) -> Any:
    """The same value with every text in it made anonymous; the keys of tables are the program's own.

    Args:
        value: texts, numbers, lists and tables.
        names: what else must not be in it, such as `names_here()`.
        homes: folders with names that a space may be in, such as `homes_here()`.
    """
    words = sorted({part for name in names for part in _parts(name)}, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), re.IGNORECASE)
    folders = sorted((_normal(home) for home in homes), key=len, reverse=True)
    return _clean(value, pattern if words else None, folders)


def _parts(name: str) -> set[str]:
    """A name, and of a machine's name what stands before the first dot."""
    name = _normal(name.strip())
    return {part for part in (name, name.partition(".")[0]) if part and part != "localhost"}


def _clean(value: Any, names: re.Pattern[str] | None, homes: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _clean(one, names, homes) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one, names, homes) for one in value]
    if not isinstance(value, str):
        return value
    text = _normal(value)
    for home in homes:
        text = text.replace(home, _SOME_HOME)
    text = _HOMES.sub(_SOME_HOME, text)
    text = _PATH.sub(lambda found: _path(found.group()), text)
    for numbers, instead in _NUMBERS:
        text = numbers.sub(instead, text)
    return names.sub("<name>", text) if names else text


def _path(path: str) -> str:
    return path if path.startswith(_SAME_EVERYWHERE) else "<path>"


def _normal(text: str) -> str:
    """MacOS writes an umlaut in a file name as two characters."""
    return unicodedata.normalize("NFC", text)
