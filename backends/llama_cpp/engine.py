"""llama.cpp's own server, started inside this process, and the requests that are sent to it.

It listens on the loopback address alone, on a port that the system picks, and answers only who knows a key
that was made for it. Requests go over that port and not through `Server.handle_completions`, because that
answers in OpenAI's terms, without token ids; the port costs a millisecond for each request.
"""

from __future__ import annotations

import http.client
import json
import secrets
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xllamacpp

from backends.base import ModelError, RequestError

_WANTED = ["tokens", "timings"]
_QUIET = 0
"""Of llama.cpp's levels: what is said of each request would be written while energy is measured."""


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What llama.cpp is told; None leaves a number to it."""

    threads: int | None
    batch: int
    gpu_layers: int | None
    context: int


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What one request did, as llama.cpp counted it."""

    tokens: list[int]
    """New ones; an end-of-sequence token is among them."""
    cached_tokens: int
    """Tokens of the prompt that stood in its cache and were not computed."""
    computed_tokens: int
    """Tokens of the prompt that were."""
    own_s: float
    """Seconds by llama.cpp's own clock: prompt and new tokens, without what surrounds a request."""


class Engine:
    """One model in one server with one slot, so that a request finds the cache that the last one left."""

    def __init__(self, file: Path, settings: EngineSettings) -> None:
        """Load a model; its layers are on the GPU if there is one.

        Raises:
            ModelError: llama.cpp can't load it.
        """
        self._key = secrets.token_urlsafe(24)
        self._parameters = _parameters(file, settings, self._key)
        try:
            self._server: Any = xllamacpp.Server(self._parameters)
        except RuntimeError:
            raise ModelError(
                f"llama.cpp can't load {file.name} with {settings.context} positions",
                fix="its reason stands in the worker's log; try fewer gpu_layers, or another context",
            ) from None
        self._address = self._server.listening_address.rpartition("/")[2]

    @property
    def threads(self) -> int:
        """Threads that compute a forward."""
        return int(self._parameters.cpuparams.n_threads)

    @property
    def positions(self) -> int:
        """Positions of its cache."""
        return int(self._ask("/props")["default_generation_settings"]["n_ctx"])

    def complete(self, ids: list[int], *, new_tokens: int, cached: bool) -> Completion:
        """Greedy tokens after `ids`, up to one that llama.cpp takes for an end; waits for them.

        Its own `ignore_eos` is not used: it forbids such tokens, which changes the text.

        Args:
            ids: The whole sequence so far.
            new_tokens: At most.
            cached: Take what the cache holds of `ids`; otherwise all is computed anew.

        Raises:
            RequestError: llama.cpp refuses it.
        """
        said = self._ask(
            "/completion",
            {
                "prompt": ids,
                "n_predict": new_tokens,
                "temperature": 0,
                "samplers": ["temperature"],  # at 0 the most likely token; the others have nothing to add
                "cache_prompt": cached,
                "return_tokens": True,
                "response_fields": _WANTED,
            },
        )
        timings = said["timings"]
        return Completion(
            tokens=said["tokens"],
            cached_tokens=timings["cache_n"],
            computed_tokens=timings["prompt_n"],
            own_s=(timings["prompt_ms"] + timings["predicted_ms"]) / 1000,
        )

    def encode(self, text: str, *, whole: bool = False) -> list[int]:
        """Token ids, those of special tokens that stand in the text included; a `whole` one gets no more."""
        asked = {"content": text, "add_special": not whole, "parse_special": True}
        return list(self._ask("/tokenize", asked)["tokens"])

    def decode_text(self, ids: list[int]) -> str:
        """Text of token ids."""
        return str(self._ask("/detokenize", {"tokens": ids})["content"])

    def close(self) -> None:
        """End the server and free the model."""
        self._server = None

    def _ask(self, path: str, what: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        body = None if what is None else json.dumps(what)
        # a connection for each request: the server ends one that is idle for some seconds, as all are
        with closing(http.client.HTTPConnection(self._address)) as connection:
            connection.request("GET" if what is None else "POST", path, body, headers)
            response = connection.getresponse()
            said: dict[str, Any] = json.loads(response.read())
        if response.status != http.HTTPStatus.OK:
            raise RequestError(f"llama.cpp says: {said['error']['message']}")
        return said


def _parameters(file: Path, settings: EngineSettings, key: str) -> Any:
    """What the server is started with."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = settings.context
    parameters.n_ubatch = settings.batch
    parameters.n_batch = settings.batch * max(1, parameters.n_batch // settings.batch)
    parameters.n_parallel = 1
    if settings.threads is not None:
        parameters.cpuparams.n_threads = settings.threads
        parameters.cpuparams_batch.n_threads = settings.threads
    if settings.gpu_layers is not None:
        parameters.n_gpu_layers = settings.gpu_layers
    parameters.fit_params = False  # what is recorded is what runs, or the model is refused
    parameters.cache_ram_mib = 0  # no copies of old prompts, which cost time and energy
    parameters.n_ctx_checkpoints = 0
    parameters.swa_full = True  # else decode could not go on from the cache of a sliding window
    parameters.verbosity = _QUIET
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.offline = True
    parameters.ui = parameters.endpoint_slots = False
    return parameters
