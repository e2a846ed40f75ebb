"""A stream is worth as much packed as it was before, whoever is killed on the way."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from energy import cache, packing
from energy.base import EnergyError
from energy.lab.documents import SHAPES, Told, document
from energy.packing import PACKED, RAW, pack
from energy.recording import Header, Recording, RecordingReader, Stamp
from energy.replay import load, read_kept
from tests.energy.test_cache import SOURCE

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording of 40 documents, a tenth of a second each."""
    recording = Recording(tmp_path, Header("plist", SOURCE))
    for number in range(COUNT):
        told = Told(
            elapsed_ns=100_000_000,
            label_s=1.7e9 + number / 10,
            energies_mj={"cpu": 100 + number, "gpu": 80, "ane": 0},
        )
        at_s = 10 + (number + 1) / 10
        recording.append(document(told, SHAPES["m1"]) + b"\0", Stamp(at_s, 1.7e9 + at_s, at_s))
    recording.close()
    return tmp_path


def joules(folder: Path) -> list[float]:
    """Of the CPU, decoded from the stream and not from what was kept."""
    (folder / cache.KEPT).unlink(missing_ok=True)
    trace, _ = load(folder)
    return trace.joules[:, 0].tolist() if trace.rails else []


def test_what_is_packed_decodes_to_the_same_readings_and_is_a_tenth_of_the_size(folder: Path) -> None:
    before, raw_bytes = joules(folder), (folder / RAW).stat().st_size
    cache.pack_and_keep(folder)
    assert not (folder / RAW).exists()
    assert (folder / PACKED).stat().st_size < raw_bytes / 10
    assert cache.kept(folder) is not None, "what was decoded before is not decoded again"
    assert joules(folder) == before


def test_a_reader_that_had_begun_goes_on_where_it_was(folder: Path) -> None:
    reader = RecordingReader(folder)
    stream = (folder / RAW).read_bytes()
    first = reader.content(0, 5000)
    pack(folder)
    assert first + reader.content(5000, len(stream)) == stream


def _in_the_middle(folder: Path) -> None:
    (folder / f".{PACKED}").write_bytes(gzip.compress(b"half of it")[:9])


def _before_the_old_one_goes(folder: Path) -> None:
    (folder / PACKED).write_bytes(gzip.compress((folder / RAW).read_bytes()))


@pytest.mark.parametrize("killed", [_in_the_middle, _before_the_old_one_goes])
def test_a_kill_while_it_is_packed_loses_nothing(folder: Path, killed: Callable[[Path], None]) -> None:
    before = joules(folder)
    killed(folder)
    assert joules(folder) == before
    assert pack(folder)
    assert joules(folder) == before
    assert not (folder / f".{PACKED}").exists()


def test_a_full_disk_leaves_the_stream_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = joules(folder)
    monkeypatch.setattr(os, "fsync", full)
    assert not pack(folder)
    assert not list(folder.glob("*.gz")) + list(folder.glob(".power*"))
    assert joules(folder) == before


@pytest.mark.parametrize("name", [RAW, PACKED])
def test_a_stream_that_was_cut_anywhere_gives_the_readings_before(
    folder: Path, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = joules(folder)
    if name == PACKED:
        pack(folder)
    size = (folder / name).stat().st_size
    for at in [0, 1, 17, size - 1, *random.Random(0).sample(range(size), 12)]:
        cut = Path(shutil.copytree(folder, tmp_path_factory.mktemp("cut") / "run"))
        os.truncate(cut / name, at)
        found = np.array(joules(cut))
        known = found[~np.isnan(found)]
        assert np.isin(known, whole).all()
        assert known.size or at < size / 2


def test_a_file_that_holds_far_more_than_a_stream_does_is_not_unpacked(folder: Path) -> None:
    (folder / RAW).unlink()
    (folder / PACKED).write_bytes(gzip.compress(bytes(30_000_000)))
    most = packing.MOST_TIMES * (folder / PACKED).stat().st_size
    assert RecordingReader(folder).content(most - 10, most + 10) == b""
    with pytest.raises(EnergyError, match="more than"):
        packing.unpacked(folder / PACKED)


def test_a_packed_stream_is_replayed_as_it_is(folder: Path) -> None:
    before = read_kept(folder / RAW)[0].joules
    pack(folder)
    assert read_kept(folder / PACKED)[0].joules.tolist() == before.tolist()
