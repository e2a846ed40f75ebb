from dataclasses import asdict

import pandas as pd

from analysis.rows import Slot, Trade, rows_from_columns
from analysis.values import Withheld
from tests.analysis.slots import run_slots


def test_slots_survive_a_data_frame() -> None:
    slots = run_slots(blocks=2)
    frame = pd.DataFrame([asdict(slot) for slot in slots])
    assert rows_from_columns(Slot, frame) == slots


def test_nan_becomes_none() -> None:
    frame = pd.DataFrame([asdict(slot) for slot in run_slots(blocks=1)])
    frame.loc[0, "gross_j"] = float("nan")
    rows = rows_from_columns(Slot, frame)
    assert isinstance(rows, list)
    assert rows[0].gross_j is None


def test_missing_columns_are_named() -> None:
    answer = rows_from_columns(Trade, {"label": ["a"], "strength": [1.0]})
    assert answer == Withheld("no row can be read: columns cost and loss missing")


def test_unknown_columns_are_left_aside() -> None:
    columns = {"label": ["a"], "strength": [1.0], "cost": [2.0], "loss": [3.0], "colour": ["red"]}
    assert rows_from_columns(Trade, columns) == [Trade(label="a", strength=1.0, cost=2.0, loss=3.0)]
