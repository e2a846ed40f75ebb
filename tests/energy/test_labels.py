"""Bare streams: the labels place what they can, and what they can't is said."""

import numpy as np

from energy.labels import breaks


def labelled(elapsed_s: np.ndarray, begin_s: float) -> np.ndarray:
    return np.floor(begin_s + np.cumsum(elapsed_s))


def test_readings_that_tile_have_no_break_whatever_their_length():
    chance = np.random.default_rng(4)
    for number in range(100):
        elapsed_s = chance.uniform(1.03, 1.3, 600) * chance.choice([0.1, 0.25, 1.0, 2.0])
        drifted_s = elapsed_s * (1 + chance.uniform(-1e-4, 1e-4))
        assert breaks(drifted_s, labelled(elapsed_s, number + chance.uniform())) == []


def test_a_hole_of_more_than_a_second_is_found_at_each_of_a_hundred_places():
    chance = np.random.default_rng(5)
    for _ in range(100):
        elapsed_s = chance.uniform(1.03, 1.3, 400) * chance.choice([0.1, 0.25, 1.0, 2.0])
        label_s = labelled(elapsed_s, chance.uniform())
        length_s = elapsed_s.mean()
        count = int(np.ceil(1.2 / length_s)) + int(chance.integers(0, 5))
        row = int(chance.integers(20, 350))
        kept = np.r_[0:row, row + count : 400]
        (place,) = breaks(elapsed_s[kept], label_s[kept])
        assert place.kind == "gap"
        assert place.row <= row <= place.next_row
        assert (place.next_row - place.row) * length_s < 1.5


def test_time_told_twice_is_an_overlap():
    elapsed_s = np.full(40, 1.1)
    label_s = labelled(elapsed_s, 0.0)
    again = np.r_[0:20, 15:40]
    places = breaks(elapsed_s[again], label_s[again])
    assert [place.kind for place in places] == ["overlap"]
    assert places[0].row <= 20 <= places[0].next_row


def test_without_labels_nothing_can_be_told():
    assert breaks(np.ones(10), np.full(10, np.nan)) == []
