"""Servers that speak OpenAI's API: real ones as processes, and stand-ins that misbehave on demand."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import wait_for

WORDS = ["", "a", "server", "says", "these", "words", "again", "and", "again"][1:]
LLAMA = """
import sys, time, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.hostnames, p.port = sys.argv[1], ["127.0.0.1"], 0
p.n_parallel, p.verbosity, p.n_ctx, p.offline = 4, 0, 4 * 256, True
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(p)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


class StandIn:
    """A server that counts right, until it is told otherwise; `asked` holds the bodies that came."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.wrong_count = 0
        self.wrong_at_tokens: int | None = None
        """Answers of so many tokens are counted as one more."""
        self.breaks_after: int | None = None
        self.garbage = False
        self.redirect: str | None = None
        self.status = 200
        self.usage = True
        self.ends_after: int | None = None
        self.knows_ignore_eos = True
        self.has_chat = True
        self.strict = False
        self.delay_s = 0.0
        self.running = self.most_at_once = 0
        self.lock = threading.Lock()
        self.beside: dict[str, Any] = {}
        """What a GET is answered with, by path."""

    def events(self, body: dict[str, Any], *, chat: bool) -> Iterator[bytes]:
        count, most = body["max_tokens"], body["max_tokens"]
        if self.ends_after is not None and not (body.get("ignore_eos") and self.knows_ignore_eos):
            count = min(count, self.ends_after)
        for number in range(count):
            if number == self.breaks_after:
                return
            if number == 1 and self.garbage:
                yield b"data: <html>no json</html>\n\n"
            text = WORDS[number % len(WORDS)] + " "
            said = {"delta": {"content": text}} if chat else {"text": text}
            yield _event({"choices": [{"index": 0, **said, "finish_reason": None}]})
        finish = "length" if count == most else "stop"
        yield _event({"choices": [{"index": 0, "text": "", "finish_reason": finish}]})
        if self.usage:
            wrong = self.wrong_count + (most == self.wrong_at_tokens)
            counts = {"prompt_tokens": 7, "completion_tokens": count + wrong}
            yield _event({"choices": [], "usage": counts})
        yield b"data: [DONE]\n\n"


def _event(said: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def _handler(told: StandIn) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = told.beside.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.asked.append({"path": self.path, "headers": dict(self.headers), **body})
            chat = self.path.endswith("/chat/completions")
            refused = (chat and not told.has_chat) or (told.strict and "cache_prompt" in body)
            status = 302 if told.redirect else 400 if refused else told.status
            self.send_response(status)
            if told.redirect:
                self.send_header("Location", told.redirect)
            self.end_headers()
            if status != 200:
                self.wfile.write(b'{"error": "no"}')
                return
            with told.lock:
                told.running += 1
                told.most_at_once = max(told.most_at_once, told.running)
            time.sleep(told.delay_s)
            for event in told.events(body, chat=chat):
                self.wfile.write(event)
            with told.lock:
                told.running -= 1

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def stand_in(host: str = "127.0.0.1") -> Iterator[tuple[StandIn, str]]:
    """The stand-in and its URL."""
    told = StandIn()
    server = http.server.ThreadingHTTPServer((host, 0), _handler(told))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told, f"http://{host}:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def mlx_server(model: Path) -> Iterator[str]:
    """URL of `mlx_lm.server` with a model, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlx_lm.server", "--model", str(model), "--port", str(port)]
    with _ended(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)):
        wait_for(lambda: _is_there(f"http://127.0.0.1:{port}/health"))
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def llama_server(file: Path) -> Iterator[str]:
    """URL of llama.cpp's server with a model, in a process of its own."""
    command = [sys.executable, "-c", LLAMA, str(file)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with _ended(process):
        assert process.stdout is not None
        yield process.stdout.readline().strip() + "/v1"


@contextmanager
def _ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _is_there(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True
