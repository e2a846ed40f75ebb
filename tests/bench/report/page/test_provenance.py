"""Where numbers come from, and what is not known of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.report.page.provenance import facts_table
from bench.run.records import LagRecord, SessionRecord
from bench.run.store import read
from energy.lag import Lag


def test_machine_meter_models_and_hashes_are_told(echo_run: Path) -> None:
    run = read(echo_run)
    facts = {str(name): str(value) for name, value in facts_table(run).rows}
    assert facts["run"] == run.header.run_id
    assert facts["prompts SHA-256"] == run.header.prompts.sha256
    assert facts["suite SHA-256"] == run.header.suite.sha256
    assert facts["energy source"].startswith("modelled, modelled, NOT a measurement, boundary modelled")
    assert facts["loaded echo/small"] == "echo, float32, cpu, 0 MB of weights, cache list"
    assert facts["model small"] == "echo, dtype float32, layers 2"
    assert facts["numpy"] == run.header.packages["numpy"]


def test_what_is_not_known_is_called_so(echo_run: Path) -> None:
    run = read(echo_run)
    header = replace(run.header, host=replace(run.header.host, chip=None), git=None)
    facts = {str(name): str(value) for name, value in facts_table(replace(run, header=header)).rows}
    assert facts["chip"] == "not known"
    assert facts["git"] == "not known"
    assert facts["model full, revision"] == "not known"


def test_the_cadence_and_what_was_lengthened_for_it_are_told(echo_run: Path) -> None:
    run = read(echo_run)
    (session,) = run.of(SessionRecord)
    slow = replace(session, reading_s=0.245, stretched={"min_window_s": 11.4, "idle_s": 3.1})
    facts = dict(facts_table(replace(run, records=[slow])).rows)
    assert (
        facts["readings, session 1"] == "a reading every 245 ms: windows lengthened to 11.4 s, idle to 3.1 s"
    )
    silent = replace(session, reading_s=None, stretched={})
    assert "readings, session 1" not in dict(facts_table(replace(run, records=[silent])).rows)


def test_the_lag_that_pulses_told_before_and_after_is_told(echo_run: Path) -> None:
    run = read(echo_run)
    (session,) = run.of(SessionRecord)
    told = [
        Lag(onset_s=0.027 + late, offset_s=-0.007 + late, spread_s=0.018, pulses=12) for late in (0, 0.004)
    ]
    lags = [
        LagRecord(session=1, where=where, lag=lag)
        for where, lag in zip(("before", "after"), told, strict=True)
    ]
    cases = {
        "onset +29 ms, offset -5 ms, known to 20 ms (24 pulses)": lags,
        "onset +27 ms, offset -7 ms, known to 18 ms (12 pulses)": [lags[0], replace(lags[1], lag=None)],
        "not known: 40 ms are in every bound": [],
    }
    for said, records in cases.items():
        facts = dict(facts_table(replace(run, records=[session, *records])).rows)
        assert facts["lag of the meter, session 1"] == said
