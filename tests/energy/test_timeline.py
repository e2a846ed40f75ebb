from dataclasses import replace

import numpy as np

from benchmarks.known_power import bursts, columns, noisy, on_rails, simulate
from energy.timeline import MIN_STRETCH, stamped_trace, stream_trace


def simulated(seed: int = 1, seconds: float = 60.0):
    chance = np.random.default_rng(seed)
    simulation = simulate(on_rails(noisy(bursts(seconds, chance)[0], chance)), chance)
    return simulation, columns(simulation)


def test_readings_tile_time_where_they_were_measured():
    simulation, found = simulated()
    trace = stream_trace(found)
    count = len(trace.end_s)
    np.testing.assert_array_equal(trace.start_s[1:], trace.end_s[:-1])
    assert np.abs(trace.end_s - simulation.end_s[:count]).max() <= trace.alignment_s
    np.testing.assert_array_equal(trace.joules, simulation.joules[:count])
    assert trace.faults == ()


def test_nothing_is_placed_before_there_is_enough_to_place_it():
    _, found = simulated()
    few = replace(
        found,
        **{
            name: getattr(found, name)[: MIN_STRETCH - 1]
            for name in ("session", "arrival_s", "wall_s", "sleepless_s", "elapsed_s", "label_s")
        },
        is_delta=found.is_delta[: MIN_STRETCH - 1],
        joules=found.joules[: MIN_STRETCH - 1],
        active_s=found.active_s[: MIN_STRETCH - 1],
    )
    assert len(stream_trace(few).end_s) == 0


def test_a_rail_that_ends_is_null_from_there_and_the_others_are_not():
    _, found = simulated()
    joules = found.joules.copy()
    joules[200:, 1] = np.nan
    trace = stream_trace(replace(found, joules=joules))
    assert np.isnan(trace.joules[200:, 1]).all()
    assert not np.isnan(trace.joules[:, 0]).any()
    (fault,) = trace.faults
    assert (fault.kind, fault.rail) == ("missing rail", "gpu")
    assert fault.start_s == trace.start_s[200]


def test_a_meter_that_died_for_good_has_a_fault_without_end():
    _, found = simulated()
    died_s = float(found.arrival_s[-1]) + 0.01
    trace = stream_trace(replace(found, deaths=((died_s, "exit code 1"),)))
    (fault,) = trace.faults
    assert fault.kind == "meter died"
    assert fault.start_s == trace.end_s[-1]
    assert fault.end_s == float("inf")


def test_stamped_readings_stay_at_their_stamps():
    _, found = simulated()
    trace = stamped_trace(found, within_s=0.25)
    np.testing.assert_array_equal(trace.end_s, found.arrival_s)
    assert trace.alignment_s == 0.25


def test_changes_of_thermal_pressure_are_passed_on():
    _, found = simulated()
    at_s = float(found.arrival_s[7])
    assert stream_trace(replace(found, pressures=((7, "Heavy"),))).thermal == ((at_s, "Heavy"),)
