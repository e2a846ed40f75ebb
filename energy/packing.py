"""The stream of a session that has ended, compressed: `power.raw` becomes `power.raw.gz`.

A meter writes some ten kilobytes a reading, nearly all of it the same every time. Nothing is compressed while
anything is measured. The new file is whole and on the disk before the old one goes, so that whoever is killed
in between leaves one of them, or both. Members of a few megabytes each: what stands before a damage is read.

`power.index` counts the bytes of the stream as it came, so nothing else changes.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import zlib
from pathlib import Path

from energy.base import EnergyError

RAW, PACKED = "power.raw", "power.raw.gz"
MAGIC = b"\x1f\x8b"
MEMBER_BYTES = 2**22
LEVEL = 6
MOST_TIMES = 400
"""What is packed has no more bytes than so many times its file; honest streams have up to 120 times."""
_DAMAGES = (EOFError, gzip.BadGzipFile, zlib.error)


def pack(folder: Path) -> bool:
    """Compress the stream in a folder; False if there is none, or it can't be, and then it stays as it is."""
    raw, packed = folder / RAW, folder / PACKED
    staging = folder / f".{PACKED}"
    try:
        with raw.open("rb") as source, staging.open("wb") as out:
            while piece := source.read(MEMBER_BYTES):
                out.write(gzip.compress(piece, LEVEL, mtime=0))
            out.flush()
            os.fsync(out.fileno())
        staging.replace(packed)
        raw.unlink()
    except OSError:  # no stream; a full disk
        return False
    finally:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
    return True


def unpacked(file: Path) -> bytes:
    """A kept stream of any name, packed or not.

    Raises:
        OSError: it can't be read.
        EnergyError: it is damaged, or larger than a stream can be.
    """
    content = file.read_bytes()
    if not content.startswith(MAGIC):
        return content
    most_bytes = MOST_TIMES * len(content)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            stream = packed.read(most_bytes + 1)
    except _DAMAGES as error:
        raise EnergyError(f"it is a damaged gzip file ({error})") from None
    if len(stream) > most_bytes:
        raise EnergyError(f"it would hold more than {most_bytes:,} bytes")
    return stream


class StreamFile:
    """The bytes of a stream, packed or not, read from the front to the back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packed: gzip.GzipFile | None = None
        self._most_bytes = 0
        self._is_damaged = False

    def read(self, begin: int, end: int) -> bytes:
        """Bytes of the stream; fewer where it ends or is damaged, and none where no stream is so long.

        Raises:
            EnergyError: there is no stream.
        """
        try:
            return self._read(begin, end)
        except OSError as error:
            raise EnergyError(f"can't read {self._folder / RAW} ({error.strerror})") from error

    def _read(self, begin: int, end: int) -> bytes:
        if self._packed is None:
            with contextlib.suppress(FileNotFoundError), (self._folder / RAW).open("rb") as raw:
                raw.seek(begin)
                return raw.read(end - begin)
            self._packed = self._opened()
        if self._is_damaged or end > self._most_bytes:
            return b""
        try:
            self._packed.seek(begin)
            return self._packed.read(end - begin)
        except _DAMAGES:
            self._is_damaged = True
            return b""

    def _opened(self) -> gzip.GzipFile:
        packed = self._folder / PACKED
        self._most_bytes = MOST_TIMES * packed.stat().st_size
        return gzip.GzipFile(packed, "rb")


def stream_bytes(folder: Path) -> int:
    """Size of the file that the stream is in.

    Raises:
        OSError: there is none.
    """
    raw = folder / RAW
    return (raw if raw.exists() else folder / PACKED).stat().st_size
