"""The disk that a run needs: whether there is room before it starts, and its streams made small after it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from bench.errors import UserError
from bench.suite.config import Protocol
from energy.base import SourceInfo
from energy.cache import pack_and_keep
from energy.packing import stream_bytes
from energy.recording import INDEX

SECOND_BYTES = 4_000
"""That records, the index and logs take for a second of a run, and more than they do."""
_LEAST_BYTES = 4_000_000


def check_room(folder: Path, protocol: Protocol, *, windows: int, source: SourceInfo) -> str | None:
    """Is there room for what a run will write? Its meter has just started, and shows how much it writes.

    Args:
        folder: of the session, with the meter's first readings in it.
        protocol: of the run.
        windows: that are to come, where it has no minutes.
        source: the meter.

    Returns:
        A line if it may become narrow, which is where the disk has less than twice that.

    Raises:
        UserError: there is not.
    """
    window_s = protocol.min_window_s + protocol.cool_down_s
    seconds_s = windows * window_s if protocol.minutes is None else 60 * protocol.minutes
    needed = _LEAST_BYTES + seconds_s * (SECOND_BYTES + _first_bytes(folder) / source.interval_s)
    free = shutil.disk_usage(folder).free
    if free >= 2 * needed:
        return None
    said = f"{folder.parent} has {_mb(free)} free, and this run writes about {_mb(needed)}"
    if free < needed:
        raise UserError(said, fix="free some space, choose another folder with --out, or lower blocks")
    return f"{said}: don't fill that disk meanwhile"


def pack_streams(run: Path, *, but: Path | None) -> None:
    """Compress the streams of sessions that have ended.

    Args:
        run: the run folder.
        but: folder of a session that was not begun, which leaves its number and its stream to the next.
    """
    for folder in [file.parent for file in run.rglob(INDEX)]:
        if but is None or (but != folder and but not in folder.parents):
            pack_and_keep(folder)


def _first_bytes(folder: Path) -> int:
    """Bytes of the readings so far, of which there is one, or two."""
    with suppress(OSError):
        return stream_bytes(folder)
    return 0


def _mb(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
