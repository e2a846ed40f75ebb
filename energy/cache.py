"""Decoded readings, kept beside the raw stream: a long run is decoded once and not at every look.

    power.npz   a seal, the columns of a `Trace`, and JSON: its faults, its source, and what it was made from

A meter prints thousands of documents a minute and decoding them costs minutes for a run of hours. The raw
stream stays the truth: this file can be deleted at any time and is made again. It counts only if it was made
on this machine from these very raw files (their sizes, the digest of the index) by this very code; in any
other case, and if anything in it is odd, the stream is decoded anew and nothing is said.

The seal is an HMAC (RFC 2104) with a key that never leaves the user's cache. So a file that came with
somebody's run folder is not decoded, whatever joules it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import json
import os
import secrets
import zipfile
import zlib
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from energy.base import EnergyError, Fault, SourceInfo, Trace
from energy.decode import RecordingDecoder
from energy.packing import pack, stream_bytes
from energy.recording import INDEX
from energy.timeline import trace_of
from energy.user_cache import user_cache

KEPT = "power.npz"
MOST_BYTES = 2**28
"""Of a file that is worth keeping: ten readings a second for more than a month."""
_SEAL_BYTES = 32
MAKERS = (
    *("align", "base", "cache", "chip", "decode", "faults", "framing", "labels", "machine"),
    *("packing", "plist", "rails", "recording", "text", "timeline", "user_cache"),
)
"""The modules between bytes and a trace: all that this one imports, which a test checks."""

Decoded = tuple[Trace, SourceInfo]
_COLUMNS = ("start_s", "end_s", "joules")
_UNUSABLE = (OSError, EOFError, ValueError, TypeError, LookupError, zipfile.BadZipFile, zlib.error)


def kept(folder: Path) -> Decoded | None:
    """The readings that were kept in a folder; None unless they belong to its raw files as they are now."""
    key = _key()
    try:
        if key is None or (folder / KEPT).stat().st_size > MOST_BYTES:
            return None
        sealed = (folder / KEPT).read_bytes()
        seal, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, _seal(key, content)):
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            words = json.loads(str(stored["words"]))
            if words["made_from"] != _made_from(folder):
                return None
            return _decoded(words, {name: stored[name] for name in _COLUMNS})
    except _UNUSABLE:
        return None


def decode_and_keep(decoder: RecordingDecoder) -> Decoded:
    """Decode all that a recording holds, and keep it for the next time if its folder can be written to.

    Raises:
        EnergyError: the recording can't be read.
    """
    before = _made_from(decoder.folder)
    decoder.update()
    decoded = trace_of(decoder), decoder.source
    if before is not None and _made_from(decoder.folder) == before:
        with contextlib.suppress(OSError):
            _write(decoder.folder, decoded, before)
    return decoded


def keep(decoder: RecordingDecoder) -> None:
    """The same at the end of a session, when nobody asks for the readings: what can't be kept is not."""
    with contextlib.suppress(EnergyError, OSError):
        if kept(decoder.folder) is None:
            decode_and_keep(decoder)


def pack_and_keep(folder: Path) -> None:
    """Compress the stream of a session that has ended; the readings that were kept of it stay kept."""
    decoded = kept(folder)
    if pack(folder) and decoded is not None and (made_from := _made_from(folder)) is not None:
        with contextlib.suppress(OSError):
            _write(folder, decoded, made_from)


def _made_from(folder: Path) -> dict[str, Any] | None:
    """What tells raw files and code from all others; None without raw files."""
    try:
        index = (folder / INDEX).read_bytes()
        raw_bytes = stream_bytes(folder)
    except OSError:
        return None
    digest = hashlib.sha256(index).hexdigest()
    return {"raw_bytes": raw_bytes, "index_bytes": len(index), "index_sha256": digest, "code": _code()}


@cache
def _code() -> str:
    """Digest of what makes a trace of bytes: another version may place or judge readings differently."""
    files = [Path(__file__).parent / f"{name}.py" for name in MAKERS]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _key() -> bytes | None:
    """The secret of this user on this machine, made when it is first wanted; None where it can't be kept."""
    file = user_cache() / "readings.key"
    with contextlib.suppress(OSError):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            _replace(file, secrets.token_bytes(_SEAL_BYTES), mode=0o600)
        key = file.read_bytes()
        return key if len(key) == _SEAL_BYTES else None
    return None


def _seal(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def _write(folder: Path, decoded: Decoded, made_from: dict[str, Any]) -> None:
    """Whole or not at all, under a name of its own until then: two readers may come at once."""
    trace, info = decoded
    words = {
        "made_from": made_from,
        "rails": trace.rails,
        "alignment_s": trace.alignment_s,
        "faults": [asdict(fault) for fault in trace.faults],
        "thermal": trace.thermal,
        "source": asdict(info),
    }
    key = _key()
    if key is None:
        return
    content = io.BytesIO()
    np.savez(content, words=np.array(json.dumps(words)), **{name: getattr(trace, name) for name in _COLUMNS})
    _replace(folder / KEPT, _seal(key, content.getvalue()) + content.getvalue())


def _replace(file: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all; one that is there is replaced."""
    staging = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as out:
            out.write(content)
        staging.replace(file)
    finally:
        staging.unlink(missing_ok=True)


def _decoded(words: dict[str, Any], columns: dict[str, Any]) -> Decoded:
    source = dict(words["source"], rails=tuple(words["source"]["rails"]))
    trace = Trace(
        rails=tuple(words["rails"]),
        alignment_s=float(words["alignment_s"]),
        faults=tuple(Fault(**fault) for fault in words["faults"]),
        thermal=tuple((float(at_s), str(state)) for at_s, state in words["thermal"]),
        **columns,
    )
    count = len(trace.end_s)
    if trace.start_s.shape != (count,) or trace.joules.shape != (count, len(trace.rails)):
        raise ValueError("columns of different lengths")
    return trace, SourceInfo(**source)
