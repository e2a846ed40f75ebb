"""Where a server is: its URL, resolved once, on this machine or refused.

The joules of another machine are not seen here, so its server is none to measure. What is checked is the
address that a name stands for, and that very address is connected to: the name is never asked again. A
program that listens here and passes requests on to another machine can't be told from a server.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil

from backends.base import ModelError, Served

_PORT = 80


@dataclass(frozen=True, kw_only=True)
class ServerPlace:
    """An address of this machine at which a server listens."""

    url: str
    address: str
    port: int
    host: str
    """As the URL names it, for the server to read."""
    path: str
    """In front of every request's, such as `/v1`."""


def place_of(url: str) -> ServerPlace:
    """The place that a URL means; nothing is sent to it.

    Raises:
        ModelError: it is no such URL, its name is not known, or it is not on this machine.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise ModelError(f"url = {_without_key(url)!r}", fix="give one such as http://127.0.0.1:8080/v1")
    if parts.username is not None or parts.query or parts.fragment:
        raise ModelError(
            f"url = {_without_key(url)!r} says more than a place",
            fix="leave out user, password and query: no key is stored or sent",
        )
    address = _local(parts.hostname, port)
    return ServerPlace(
        url=url.rstrip("/"), address=address, port=port, host=parts.netloc, path=parts.path.rstrip("/")
    )


def _without_key(url: str) -> str:
    """What can be shown of a URL: it may hold a password or a key."""
    return url.partition("?")[0].rpartition("@")[2][:100]


def _local(host: str, port: int) -> str:
    """The address to connect to.

    Raises:
        ModelError: the name is unknown, or one of its addresses is not of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ModelError(f"{host!r} is the name of no machine", fix="give 127.0.0.1") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    own = _own_addresses()
    for address in addresses:
        if not (ipaddress.ip_address(address.partition("%")[0]).is_loopback or _plain(address) in own):
            raise ModelError(
                f"{host!r} is {address}, which is not this machine: its joules are used elsewhere",
                fix="run `bench` on the machine that runs the server",
            )
    return next((address for address in addresses if _answers(address, port)), addresses[0])


def _own_addresses() -> set[str]:
    """Of all interfaces."""
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        _plain(one.address)
        for interface in psutil.net_if_addrs().values()
        for one in interface
        if one.family in families
    }


def _plain(address: str) -> str:
    return str(ipaddress.ip_address(address.partition("%")[0]))


def _answers(address: str, port: int) -> bool:
    """Whether somebody listens there; `localhost` may be two addresses, of which a server has one."""
    try:
        socket.create_connection((address, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def served_at(place: ServerPlace) -> Served:
    """The processes that listen at a place, or why they are not known."""
    found, hidden = [], 0
    for process in psutil.process_iter():
        try:
            sockets = process.net_connections(kind="tcp")
        except psutil.AccessDenied:
            hidden += 1
        except (psutil.Error, OSError):
            continue
        else:
            if any(_listens(one, place) for one in sockets):
                found.append(process.pid)
    if not found:
        more = f", and {hidden} processes of other users hide what they do" if hidden else ""
        return Served(url=place.url, unknown=f"no process is seen to listen at port {place.port}{more}")
    above = {process.pid for process in psutil.Process().parents()} | {os.getpid()}
    if above & set(found):
        return Served(url=place.url, unknown="the server runs in the process that measures")
    return Served(url=place.url, processes=tuple(sorted(found)))


def _listens(one: Any, place: ServerPlace) -> bool:
    if one.status != psutil.CONN_LISTEN or not one.laddr or one.laddr.port != place.port:
        return False
    return _plain(one.laddr.ip) in (_plain(place.address), "0.0.0.0", "::")
