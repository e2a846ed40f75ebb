"""Files that a user or a stranger hands to the program, damaged, through the functions that read them."""

from __future__ import annotations

import gzip
import json
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

from backends import folder as model_folder
from backends.base import BackendError
from backends.gguf import read_header
from backends.weights import loaded_bytes
from bench.errors import BenchError
from bench.studies.claims import own_claims
from bench.studies.isolate import cells as isolate
from bench.studies.spectral import points
from bench.suite import prepare, prompts
from bench.suite.bundled import configs_folder
from benchmarks.campaign import mutants
from benchmarks.campaign.attempt import Hung, Outcome, limited, place_of
from energy.base import EnergyError
from energy.lab.documents import SHAPES, Told, document
from energy.plist import parse
from energy.replay import read_kept
from energy.text import parse_text
from energy.wall_file import read_wall

REFUSALS = (BenchError, BackendError, EnergyError)
"""What the command line turns into one line."""
Reader = Callable[[Path], object]

WALL = b"time,W\n" + b"".join(b"%d.5,%d.25\n" % (second, 5 + second % 7) for second in range(40))
POINTS = b"prompt,model,prompt_tokens,residue,lambda2,lambda11\n" + b"".join(
    b"p%d,full,%d,0.%d,0.1%d,0.9\n" % (row, 10 + row, row + 1, row) for row in range(9)
)
PROMPTS: dict[str, bytes] = {
    "prompts.txt": b"What is red?\nWhy is it?\n",
    "prompts.jsonl": b'{"id": "a", "text": "one"}\n{"id": "b", "prompt": "two"}\n',
    "prompts.json": json.dumps(
        [
            {"messages": [{"role": "user", "content": "hello"}]},
            {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ha"}]},
        ]
    ).encode(),
}
SUITE = b"""name = "mine"
backends = ["echo"]
models.full = { name = "echo" }
models.small = { name = "echo", layers = 2 }
prompts.file = "prompts.jsonl"
[gates.ungated]
[gates.length]
tokens = 12
[gates.small_cache]
plugin = "constant"
budget = { cut = { kv_keep = 0.5 } }
[protocol]
blocks = 5
min_window_s = 1.0
[energy]
source = "simulated"
idle_w = 3.0
"""
TEXT = b"""*** Sampled system activity (Mon Nov  3 10:00:00 2025 +0100) (101.40ms elapsed) ***
CPU Power: 1200 mW
GPU Power: 30 mW
ANE Power: 0 mW
"""
CONFIG = {"model_type": "llama", "num_hidden_layers": 2, "vocab_size": 8, "eos_token_id": [0, 1]}


def _plist(file: Path) -> object:
    return parse(file.read_bytes())


def _text(file: Path) -> object:
    return parse_text(file.read_bytes())


def _prompts(file: Path) -> object:
    return prompts.load_prompts(file.name, beside=file.parent)


def _suite(file: Path) -> object:
    (file.parent / "prompts.jsonl").write_bytes(PROMPTS["prompts.jsonl"])
    return prepare.prepare(file, backends=None, blocks=None)


def _claims(file: Path) -> object:
    return own_claims.read_claims([file])


def _isolate(file: Path) -> object:
    return isolate.load(str(file))


def _points(file: Path) -> object:
    return points.from_csv(file)


def _config(file: Path) -> object:
    (file.parent / "model.safetensors").write_bytes(_safetensors())
    return model_folder.open_folder(file.parent)


def _weights(file: Path) -> object:
    folder = file.parent / "weights"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(file.read_bytes())
    return loaded_bytes(model_folder.open_folder(folder), "float32")


def _safetensors() -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


def _gguf() -> bytes:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    settings = text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    settings += text(b"llama.block_count") + struct.pack("<II", 4, 2)
    tensor = text(b"token_embd.weight") + struct.pack("<IQQIQ", 2, 4, 2, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + settings + tensor
    return head + bytes(-len(head) % 32) + bytes(32)


def _claim() -> bytes:
    return own_claims.__doc__.split("\n\n", 1)[1].encode() if own_claims.__doc__ else b""


def _documents() -> bytes:
    told = Told(elapsed_ns=100_000_000, label_s=1.7e9, energies_mj={"cpu": 300, "gpu": 80, "ane": 0})
    return b"\0".join(document(told, SHAPES["m1"]) for _ in range(3))


def readers() -> dict[str, tuple[Reader, bytes]]:
    """By the name of the file: what reads it, and an honest one."""
    one_document = _documents().split(b"\0")[0]
    return {
        **{name: (_prompts, content) for name, content in PROMPTS.items()},
        "suite.toml": (_suite, SUITE),
        "claims.toml": (_claims, _claim()),
        "isolate.toml": (_isolate, (configs_folder() / "isolate.toml").read_bytes()),
        "wall.csv": (read_wall, WALL),
        "points.csv": (_points, POINTS),
        "document.plist": (_plist, one_document),
        "kept.raw": (read_kept, _documents()),
        "log.txt": (_text, TEXT),
        "kept.raw.gz": (read_kept, gzip.compress(_documents(), mtime=0)),
        "config.json": (_config, json.dumps(CONFIG).encode()),
        "arrays.safetensors": (_weights, _safetensors()),
        "model.gguf": (read_header, _gguf()),
    }


def one(read: Reader, honest: bytes, file: Path, *, seed: int) -> Outcome:
    """Damage a file by this seed and read it."""
    rng = random.Random(seed)
    file.write_bytes(_damaged(honest, file.suffix, rng))
    try:
        with limited():
            read(file)
    except REFUSALS as refusal:
        told = str(refusal)
        bad = "Traceback" in told or not told
        return Outcome("traceback", f"says {told!r}") if bad else Outcome("refused")
    except Hung:
        return Outcome("hang", str(seed))
    except BaseException as error:
        return Outcome("traceback", place_of(error))
    return Outcome("done")


def _damaged(honest: bytes, suffix: str, rng: random.Random) -> bytes:
    if suffix == ".json" and rng.random() < 0.5:
        return mutants.json_bytes(mutants.document_of(json.loads(honest), rng))
    if suffix == ".jsonl" and rng.random() < 0.5:
        lines = [json.loads(line) for line in honest.splitlines()]
        return b"".join(mutants.json_bytes(mutants.document_of(line, rng)) + b"\n" for line in lines)
    if suffix in (".toml", ".csv", ".plist", ".raw", ".txt") and rng.random() < 0.5:
        return _word_replaced(honest, rng)
    if suffix == ".safetensors" and rng.random() < 0.7:
        header = mutants.json_bytes(mutants.document_of(json.loads(honest[8:-16]), rng))
        return struct.pack("<Q", len(header)) + header + honest[-16:]
    if suffix == ".gz" and rng.random() < 0.7:
        return gzip.compress(_word_replaced(gzip.decompress(honest), rng), mtime=0)
    return mutants.bytes_of(honest, rng)


_WORDS: tuple[bytes, ...] = (
    *(b"-1", b"0", b"9223372036854775807", b"9" * 5000, b"1e999", b"nan", b"inf", b"0x", b"fffff", b'"'),
    *(b"~nobody/x", b"../../etc/passwd", b"/dev/zero", b"a" * 300, b"x/" * 3000, b"\\u0000", b"\0", b"[[[["),
    *(b"{", b"true", b"[]", b"{}", b"<integer>0x", b"<array>" * 2000, b"<date>x</date>", b'"\xff"', b"=1+1"),
)


def _word_replaced(content: bytes, rng: random.Random) -> bytes:
    """A word of the file replaced by another one."""
    word = rng.choice([match.span() for match in re.finditer(rb"[^\s,=<>]+", content)])
    new = rng.choice(_WORDS)
    new = new if rng.random() < 0.5 else b'"' + new + b'"'
    return content[: word[0]] + new + content[word[1] :]
