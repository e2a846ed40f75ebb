"""A server on another machine is refused by its address, before anything is sent to it."""

from __future__ import annotations

import os
import socket

import psutil
import pytest

from backends.base import ModelError
from backends.openai import place
from backends.openai.place import ServerPlace, place_of, served_at

ELSEWHERE = "203.0.113.7"
"""Of a range that is kept for documentation."""


def test_a_server_of_this_machine_has_a_place() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = place_of(f"http://localhost:{port}/v1/")
        assert found == ServerPlace(
            url=f"http://localhost:{port}/v1",
            address="127.0.0.1",
            port=port,
            host=f"localhost:{port}",
            path="/v1",
        )


def test_an_interface_of_this_machine_is_this_machine() -> None:
    addresses = [
        a.address for one in psutil.net_if_addrs().values() for a in one if a.family.name == "AF_INET"
    ]
    for address in addresses:
        assert place_of(f"http://{address}:1/v1").address == address


@pytest.mark.parametrize("host", [ELSEWHERE, "[2001:db8::1]"])
def test_another_machine_is_refused_by_address(host: str) -> None:
    with pytest.raises(ModelError, match="not this machine"):
        place_of(f"http://{host}:8080/v1")


def test_another_machine_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address of several is enough: which of them is connected to is nobody's choice."""

    def resolve(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("127.0.0.1", ELSEWHERE)]

    monkeypatch.setattr(place.socket, "getaddrinfo", resolve)
    with pytest.raises(ModelError, match=f"'gpu.example' is {ELSEWHERE}, which is not this machine"):
        place_of("http://gpu.example:8080/v1")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/v1", "127.0.0.1:8080", "http://127.0.0.1:99999/v1", "http:///v1"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match="url ="):
        place_of(url)


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1/v1", "http://127.0.0.1/v1?api_key=secret"])
def test_a_key_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ModelError, match="no key is stored or sent") as refused:
        place_of(url)
    assert "secret" not in str(refused.value)


def test_who_listens_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = place_of(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        found = served_at(here)
        assert found.processes == ()
        assert found.unknown == "the server runs in the process that measures"
    assert "no process is seen to listen" in str(served_at(here).unknown)
    assert os.getpid() not in served_at(here).processes
