import numpy as np

from energy.faults import clock_steps, dead, duplicated, gaps, out_of_order, runs, stalls

NAN = float("nan")


def test_a_reading_told_twice_is_equal_to_the_nanosecond():
    elapsed_s = np.array([0.11, 0.12, 0.12, 0.12])
    joules = np.array([[1.0, NAN], [2.0, NAN], [2.0, NAN], [2.5, NAN]])
    label_s = np.array([1.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(duplicated(elapsed_s, label_s, joules), [False, False, True, False])


def test_a_label_older_than_its_predecessor_is_out_of_order():
    label_s = np.array([1.0, 2.0, NAN, 3.0, 1.0, 3.0])
    never = np.zeros(6, dtype=bool)
    np.testing.assert_array_equal(out_of_order(label_s, never), [False, False, False, False, True, False])


def test_labels_before_and_after_a_clock_was_set_are_not_compared():
    set_at = np.array([False, False, True, False])
    assert not out_of_order(np.array([5.0, 6.0, 2.0, 3.0]), set_at).any()


def test_clocks_that_part_were_set():
    harness_s = np.arange(5) * 0.11
    np.testing.assert_array_equal(
        clock_steps(harness_s + np.array([0, 0, 3, 3, 3]), harness_s), [False, False, True, False, False]
    )


def test_silence_of_ten_intervals_is_a_stall():
    arrival_s = np.cumsum([0.1, 0.1, 1.2, 0.1, 0.9])
    np.testing.assert_array_equal(stalls(arrival_s, 0.1), [False, False, True, False, False])


def test_lost_time_is_a_gap_once_ten_documents_confirm_it():
    elapsed_s = np.full(60, 0.11)
    arrival_s = np.cumsum(elapsed_s) + 0.003
    arrival_s[40:] += 0.11
    assert gaps(elapsed_s, arrival_s) == ([("gap", 40, 40)], 60)
    places, settled = gaps(elapsed_s[:45], arrival_s[:45])
    assert (places, settled) == ([], 40)


def test_documents_that_come_late_and_catch_up_are_no_gap():
    elapsed_s = np.full(60, 0.11)
    arrival_s = np.cumsum(elapsed_s) + 0.003
    arrival_s[20:25] = arrival_s[25]
    assert gaps(elapsed_s, arrival_s) == ([], 60)


def test_a_document_that_comes_before_its_interval_ends_counts_time_twice():
    elapsed_s = np.full(60, 0.11)
    arrival_s = np.cumsum(elapsed_s) + 0.003
    elapsed_s[30] = 0.3
    assert gaps(elapsed_s, arrival_s)[0] == [("overlap", 30, 30)]


def test_zero_from_a_rail_that_worked_is_dead_and_from_one_that_rested_is_not():
    joules = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    active_s = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.001, NAN])
    np.testing.assert_array_equal(dead(joules, active_s), [False, True, True, True, False, False, False])


def test_an_idle_gpu_below_the_counters_step_is_not_dead():
    assert not dead(np.zeros(5000), np.full(5000, 0.002)).any()


def test_runs_of_rows():
    assert runs(np.array([True, True, False, True])) == [(0, 1), (3, 3)]
    assert runs(np.zeros(3, dtype=bool)) == []
