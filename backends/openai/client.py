"""Requests to a server at a place that was checked: raw bytes of a stream come back, and nothing is parsed.

A connection goes to the checked address, and a redirect is not followed, so nothing reaches another machine.
No key is sent.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from backends.base import RequestError
from backends.openai.place import ServerPlace
from backends.openai.stream import shown

_CONNECT_S = 10.0
_READ_BYTES = 65536
MOST_BYTES = 64 * 2**20
"""Of one answer: a stream without an end must not fill the memory."""
_OK, _REDIRECTS, _NO_KEY = 200, range(300, 400), (401, 403)


class Client:
    """Asks one server."""

    def __init__(self, place: ServerPlace) -> None:
        self._place = place

    def stream(self, path: str, body: Mapping[str, Any], *, arrived: Callable[[bytes], None]) -> bytes:
        """The whole body of a streamed answer.

        Args:
            path: below that of the URL, such as `/completions`.
            body: of the request.
            arrived: is called with all bytes so far at each read, the first time when the first are here.

        Raises:
            RequestError: the server is not there, refuses, or breaks off.
        """
        raw = b""
        with self._answer("POST", self._place.path + path, body) as response:
            while piece := response.read1(_READ_BYTES):
                raw += piece
                if len(raw) > MOST_BYTES:
                    raise RequestError(f"the server's answer has more than {MOST_BYTES:,} bytes")
                arrived(raw)
        return raw

    def get(self, path: str) -> Any:
        """What the server says at a path beside that of the URL; None where it says nothing of use."""
        try:
            with self._answer("GET", path, None) as response:
                return json.loads(response.read(MOST_BYTES))
        except (RequestError, ValueError):
            return None

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Iterator[http.client.HTTPResponse]:
        place = self._place
        headers = {"Host": place.host, "Accept": "*/*", "Connection": "close"}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection = http.client.HTTPConnection(place.address, place.port, timeout=_CONNECT_S)
            with closing(connection):
                connection.connect()
                connection.sock.settimeout(_CONNECT_S if body is None else None)  # an answer has its deadline
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                response = connection.getresponse()
                self._check(response)
                yield response
        except (OSError, http.client.HTTPException) as error:
            raise RequestError(
                f"the server at {place.url} {_what_happened(error)}", fix="see whether it runs, and its log"
            ) from None

    def _check(self, response: http.client.HTTPResponse) -> None:
        status = response.status
        if status == _OK:
            return
        if status in _REDIRECTS:
            raise RequestError(
                f"the server redirects to {shown(response.getheader('Location', 'nowhere'))!r}, which is not "
                "followed: it may be another machine",
                fix="give the url of the server itself",
            )
        if status in _NO_KEY:
            raise RequestError(f"the server asks for a key ({status})", fix="start it without: none is sent")
        said = shown(response.read(_READ_BYTES).decode(errors="replace"))
        raise RequestError(f"the server refuses ({status}): {said}")


def was_loaded(client: Client, place: ServerPlace, model: str) -> bool | None:
    """Whether a model is in memory, as Ollama and LM Studio tell; None where a server does not say."""
    root = place.path.removesuffix("/v1")
    running = _listed(client.get(f"{root}/api/ps"), "models")
    if running is not None:
        return any(one.get("name") in (model, f"{model}:latest") for one in running)
    known = _listed(client.get(f"{root}/api/v0/models"), "data")
    states = [one.get("state") for one in known or [] if one.get("id") == model]
    return "loaded" in states if states else None


def _listed(said: Any, key: str) -> list[dict[str, Any]] | None:
    found = said.get(key) if isinstance(said, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else None


def _what_happened(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "is not there"
    if isinstance(error, TimeoutError):
        return "does not answer"
    return f"broke off ({type(error).__name__})"
