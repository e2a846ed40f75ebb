"""Decoded readings, kept beside the raw stream: a long run is decoded once and not at every look.

    power.npz   the columns of a `Trace`, and JSON: its faults, its source, and what it was made from

A meter prints thousands of documents a minute and decoding them costs minutes for a run of hours. The raw
stream stays the truth: this file can be deleted at any time and is made again. It counts only if it belongs
to these very raw files (their sizes, the digest of the index) and to this very code; in any other case, and
if anything in it is odd, the stream is decoded anew and nothing is said.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
import zlib
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from energy.base import EnergyError, Fault, SourceInfo, Trace
from energy.decode import RecordingDecoder
from energy.recording import INDEX, RAW
from energy.timeline import trace_of

KEPT = "power.npz"
MAKERS = (
    *("align", "base", "cache", "chip", "decode", "faults", "framing", "labels", "plist", "rails"),
    *("recording", "text", "timeline"),
)
"""The modules between bytes and a trace: all that this one imports, which a test checks."""

Decoded = tuple[Trace, SourceInfo]
_COLUMNS = ("start_s", "end_s", "joules")
_UNUSABLE = (OSError, EOFError, ValueError, TypeError, LookupError, zipfile.BadZipFile, zlib.error)


def kept(folder: Path) -> Decoded | None:
    """The readings that were kept in a folder; None unless they belong to its raw files as they are now."""
    try:
        with (folder / KEPT).open("rb") as file, np.load(file, allow_pickle=False) as stored:
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


def _made_from(folder: Path) -> dict[str, Any] | None:
    """What tells raw files and code from all others; None without raw files."""
    try:
        index = (folder / INDEX).read_bytes()
        raw_bytes = (folder / RAW).stat().st_size
    except OSError:
        return None
    digest = hashlib.sha256(index).hexdigest()
    return {"raw_bytes": raw_bytes, "index_bytes": len(index), "index_sha256": digest, "code": _code()}


@cache
def _code() -> str:
    """Digest of what makes a trace of bytes: another version may place or judge readings differently."""
    files = [Path(__file__).parent / f"{name}.py" for name in MAKERS]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


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
    staging = folder / f".{KEPT}.{os.getpid()}"
    try:
        with staging.open("wb") as file:
            np.savez(
                file,
                words=np.array(json.dumps(words)),
                **{name: getattr(trace, name) for name in _COLUMNS},
            )
        staging.replace(folder / KEPT)
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
