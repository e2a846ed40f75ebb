import numpy as np
import pytest

from benchmarks.known_power import RAILS, bursts, columns, noisy, on_rails, ramped, rippled, simulate, slots


def test_the_same_seed_gives_the_same_simulation():
    first, second = (
        simulate(on_rails(bursts(20.0, chance)[0]), chance)
        for chance in (np.random.default_rng(3), np.random.default_rng(3))
    )
    np.testing.assert_array_equal(first.joules, second.joules)
    np.testing.assert_array_equal(first.arrival_s, second.arrival_s)


def test_readings_are_the_truth_cut_to_millijoules():
    chance = np.random.default_rng(1)
    simulation = simulate(on_rails(noisy(bursts(30.0, chance)[0], chance)), chance)
    exact = simulation.power.joules_in(np.column_stack([simulation.start_s, simulation.end_s]))
    short = exact - simulation.joules
    assert (short > -1e-9).all()
    assert (short < 0.001 + 1e-9).all()


def test_intervals_are_jittered_and_documents_come_after_their_interval_in_order():
    chance = np.random.default_rng(2)
    simulation = simulate(on_rails(bursts(60.0, chance)[0]), chance)
    lengths = (simulation.end_s - simulation.start_s)[1:]
    assert 0.103 <= lengths.min() < 0.105
    assert 0.128 < lengths.max() <= 0.130
    assert (simulation.arrival_s > simulation.end_s).all()
    assert (np.diff(simulation.arrival_s) >= 0).all()
    assert (simulation.label_s == np.floor(simulation.end_s + simulation.wall_ahead_s)).all()


def test_counters_may_be_published_in_batches():
    chance = np.random.default_rng(4)
    simulation = simulate(on_rails(bursts(30.0, chance)[0]), chance, publish_every_s=2.0)
    assert (simulation.joules[:, 0] == 0).mean() > 0.9


def test_a_ramp_begins_where_the_step_was():
    watts = np.concatenate([np.full(100, 2.0), np.full(100, 10.0)])
    found = ramped(watts, 0.010)
    assert found[99] == pytest.approx(2.0)
    assert 2.0 < found[100] < found[105] < 10.0
    np.testing.assert_allclose(found[110:], 10.0)


def test_ripple_is_on_work_and_not_on_idle():
    chance = np.random.default_rng(5)
    watts = np.concatenate([np.full(1000, 2.0), np.full(1000, 20.0)])
    found = rippled(watts, chance)
    np.testing.assert_array_equal(found[:1000], 2.0)
    assert set(np.round(found[1000:], 6)) >= {17.0, 23.0}


def test_slots_hold_idle_between_work():
    watts, work = slots(60.0, np.random.default_rng(6))
    assert (work[1:, 0] - work[:-1, 1] >= 1.0).all()
    begin, end = round(work[0, 0] * 1000), round(work[0, 1] * 1000)
    assert watts[begin - 1] == 3.0
    assert (watts[begin:end] > 3.0).all()


def test_columns_are_those_of_a_decoded_recording():
    chance = np.random.default_rng(7)
    simulation = simulate(on_rails(bursts(10.0, chance)[0]), chance)
    found = columns(simulation, drift=1e-4)
    assert found.rails == RAILS
    np.testing.assert_allclose(found.elapsed_s, (simulation.end_s - simulation.start_s) * 0.9999)
