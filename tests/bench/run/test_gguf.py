"""Blocks of a GGUF file become the numbers that they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.run.gguf import NotReadable, read_gguf
from tests.bench.run.gguf_files import F16, F32, Q4_1, Q8_0, STRING, U32, write_gguf


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
    with pytest.raises(NotReadable, match=r"m\.gguf is no GGUF file of version 3"):
        read_gguf(tmp_path / "m.gguf")


def test_weights_of_another_kind_are_named(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf", {}, {"w": (14, (1, 256), bytes(210))})
    with pytest.raises(NotReadable, match="weights of kind 14"):
        read_gguf(file)
