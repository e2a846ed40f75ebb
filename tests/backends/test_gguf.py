"""Blocks of a GGUF file become the numbers that they stand for, and a header that lies is refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from backends.base import ModelError
from backends.gguf import read_gguf, read_header
from tests.gguf_files import F16, F32, Q4_1, Q8_0, STRING, U32, write_gguf


def test_settings_of_every_kind_are_read(tmp_path: Path) -> None:
    settings = {"name": (STRING, "größer"), "count": (U32, 7), "words": ((STRING,), ["a", "bc"])}
    file = write_gguf(tmp_path / "m.gguf", settings, {})
    assert read_gguf(file).settings == {"name": "größer", "count": 7, "words": ["a", "bc"]}


def test_plain_numbers_are_read_in_the_order_of_numpy(tmp_path: Path) -> None:
    single = np.arange(6, dtype=np.float32).reshape(2, 3)
    half = np.array([[0.5, -2.0]], dtype=np.float16)
    weights = {"single": (F32, (2, 3), single.tobytes()), "half": (F16, (1, 2), half.tobytes())}
    read = read_gguf(write_gguf(tmp_path / "m.gguf", {}, weights)).weights
    np.testing.assert_array_equal(read["single"], single)
    np.testing.assert_array_equal(read["half"], half)
    assert read["half"].dtype == np.float32


def test_eight_bits_are_levels_times_a_scale(tmp_path: Path) -> None:
    levels = np.arange(-16, 16, dtype=np.int8)
    block = np.float16(0.5).tobytes() + levels.tobytes()
    read = read_gguf(write_gguf(tmp_path / "m.gguf", {}, {"w": (Q8_0, (1, 32), block)})).weights["w"]
    np.testing.assert_array_equal(read, [levels * 0.5])


def test_four_bits_are_levels_times_a_scale_and_a_least_value(tmp_path: Path) -> None:
    low, high = np.arange(16, dtype=np.uint8), np.arange(16, dtype=np.uint8)[::-1]
    block = np.float16(0.25).tobytes() + np.float16(-1).tobytes() + (low | high << 4).tobytes()
    read = read_gguf(write_gguf(tmp_path / "m.gguf", {}, {"w": (Q4_1, (1, 32), block)})).weights["w"]
    np.testing.assert_array_equal(read, [np.concatenate([low, high]) * 0.25 - 1])


@pytest.mark.parametrize("content", [b"GGUX" + bytes(60), b"GGUF\x02\0\0\0" + bytes(60)])
def test_what_is_no_gguf_of_version_3_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.gguf is no GGUF file of version 3"):
        read_gguf(tmp_path / "m.gguf")


def test_weights_of_another_kind_are_named(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf", {}, {"w": (14, (1, 256), bytes(210))})
    with pytest.raises(ModelError, match="weights of kind 14"):
        read_gguf(file)


def test_the_header_says_where_the_tensors_are(tmp_path: Path) -> None:
    weights = {"a": (14, (1, 256), bytes(range(210))), "b": (F32, (3,), bytes(12))}
    file = write_gguf(tmp_path / "m.gguf", {"name": (STRING, "x")}, weights)
    header = read_header(file)
    assert header.settings == {"name": "x"}
    assert [(t.name, t.shape, t.kind, t.elements) for t in header.tensors] == [
        ("a", (1, 256), 14, 256),
        ("b", (3,), F32, 3),
    ]
    first = header.tensors[0]
    assert file.read_bytes()[first.offset :][:210] == bytes(range(210))
    assert [t.size_bytes for t in header.tensors] == [224, 32]  # with what aligns them


def whole(tmp_path: Path) -> bytes:
    settings = {"name": (STRING, "x"), "words": ((STRING,), ["a", "bc"]), "count": (U32, 7)}
    return write_gguf(tmp_path / "m.gguf", settings, {"w": (F32, (4,), bytes(16))}).read_bytes()


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    content = whole(tmp_path)
    for end in range(len(content) - 31):
        (tmp_path / "m.gguf").write_bytes(content[:end])
        with pytest.raises(ModelError):
            read_gguf(tmp_path / "m.gguf")


def test_whatever_byte_lies_the_file_is_read_or_refused(tmp_path: Path) -> None:
    content = whole(tmp_path)
    for place in range(len(content)):
        for value in (0, 9, 127, 255):
            (tmp_path / "m.gguf").write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            with suppress(ModelError):
                read_gguf(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (struct.pack("<QQ", 2**60, 0), "claims 1152921504606846976 parts"),
        (struct.pack("<QQ", 0, 2**63), "claims 9223372036854775808 parts"),
        (struct.pack("<QQQ", 0, 1, 2**62), "claims 4611686018427387904 parts"),
        (struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 9, 1), "list of kind 9"),
        (struct.pack("<QQQ1sI", 0, 1, 1, b"a", 77), "unknown kind 77"),
    ],
)
def test_counts_that_the_file_has_no_room_for_are_refused(tmp_path: Path, head: bytes, said: str) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF\x03\0\0\0" + head + bytes(64))
    with pytest.raises(ModelError, match=said):
        read_header(tmp_path / "m.gguf")


def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").touch()
    for name in ("m.gguf", "n.gguf"):
        with pytest.raises(ModelError, match="can't be read"):
            read_header(tmp_path / name)
