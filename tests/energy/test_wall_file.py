"""Which column of a CSV is power is told by its heading, or asked for; never guessed."""

from pathlib import Path

import numpy as np
import pytest

from energy.base import SourceUnavailable
from energy.wall_file import read_wall


def csv(folder: Path, heading: str, row: str) -> Path:
    """Twenty samples; `row` holds {n} for the second."""
    file = folder / "wall.csv"
    file.write_text(heading + "\n" + "\n".join(row.format(n=n) for n in range(20)) + "\n")
    return file


@pytest.mark.parametrize(
    ("heading", "row", "watts"),
    [
        ("time,W", "{n},12.5", 12.5),
        ("time,current (A),voltage (V),power (W)", "{n},0.05,230,12.5", 12.5),
        ("Power kW,Timestamp", "0.0125,{n}", 12.5),
        ("seconds;,power_mW", "{n},12500", 12.5),
        ("time,energy (Wh),active power", "{n},3,12.5", 12.5),
    ],
)
def test_the_heading_tells_the_column_and_its_unit(tmp_path: Path, heading: str, row: str, watts: float):
    meter = read_wall(csv(tmp_path, heading, row))
    np.testing.assert_allclose(meter.watts, watts)
    np.testing.assert_array_equal(meter.time_s, np.arange(20))


def test_a_column_can_be_asked_for(tmp_path: Path):
    file = csv(tmp_path, "time,Watts in,Watts out", "{n},30,20")
    with pytest.raises(SourceUnavailable, match="more than one column names power"):
        read_wall(file)
    np.testing.assert_array_equal(read_wall(file, column="Watts in").watts, 30)
    with pytest.raises(SourceUnavailable, match="its columns are: time, Watts in, Watts out"):
        read_wall(file, column="Watts")


@pytest.mark.parametrize(
    ("heading", "row", "said"),
    [
        ("time,value", "{n},12", "none of its columns names power"),
        ("time,amperes", "{n},12", "none of its columns names power"),
        ("time,kWh", "{n},12", "none of its columns names power"),
        ("0,12.5", "{n},12.5", "has no heading"),
    ],
)
def test_what_no_heading_calls_power_is_not_taken_for_it(tmp_path: Path, heading: str, row: str, said: str):
    with pytest.raises(SourceUnavailable, match=said):
        read_wall(csv(tmp_path, heading, row))
