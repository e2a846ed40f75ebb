import shutil
from pathlib import Path

import pytest

from bench.report.figures import roofline
from bench.report.story import Story
from benchmarks.made_up import FORWARD_BYTES, FORWARD_S
from tests.bench.report.figures.drawn import drawing, overlapping_texts, reason, row, table


@pytest.fixture
def isolated(made_run: Path, tmp_path: Path) -> Path:
    """A copy of the run with six windows of a stream of about 20 GB/s."""
    folder = tmp_path / "run"
    shutil.copytree(made_run, folder)
    lines = [f"S1,{0.05 + 0.001 * i},{1e9},torch" for i in range(6)]
    text = "\n".join(["test,seconds_s,read_bytes,backend", *lines])
    (folder / roofline.ISOLATION).write_text(text, encoding="utf-8")
    return folder


def test_achieved_bandwidth_is_bytes_over_decode_time(isolated: Path) -> None:
    found = row(table("roofline", Story.of(isolated)), "torch")
    assert found["bytes_per_token"] == FORWARD_BYTES["full"]
    assert found["tokens_per_s"] == pytest.approx(1 / FORWARD_S["torch", "full"], rel=0.01)
    assert found["gb_per_s"] == pytest.approx(0.27 * found["tokens_per_s"])


def test_without_a_roof_it_is_not_drawn_and_the_command_that_measures_it_is_named(made: Story) -> None:
    assert f"bench isolate --csv {made.readback.run.folder}" in reason("roofline", made)


def test_the_measured_stream_is_the_roof(isolated: Path) -> None:
    found = drawing("roofline", Story.of(isolated))
    assert row(found.table, "mlx")["roof_gb_per_s"] == pytest.approx(1 / 0.0525, rel=1e-3)
    assert "measured by bench isolate" in found.title
    assert overlapping_texts(found) == []


@pytest.mark.parametrize("content", ["", "no,such\n1,2\n", "\x00"])
def test_a_file_that_is_no_isolation_gives_no_roof(isolated: Path, content: str) -> None:
    (isolated / roofline.ISOLATION).write_text(content, encoding="utf-8")
    assert "is not known" in reason("roofline", Story.of(isolated))


def test_a_stand_in_counts_no_bytes(echo: Story) -> None:
    assert "stand-in" in reason("roofline", echo)
