"""An energy source from outside the project: an entry point and one module."""

from __future__ import annotations

import json

import pytest

from bench.report.story import Story
from tests.bench.suites import write_suite
from tests.outside.conftest import Outside

MODULE = '''
import time

from energy.base import EnergySource, SourceInfo
from energy.polled import PolledSource


def lamp(*, watts: float = 5.0, interval_ms: int = 20) -> EnergySource:
    """The same watts all the time.

    Args:
        watts: of the lamp.
        interval_ms: milliseconds between readings.
    """
    info = SourceInfo(
        name="lamp",
        kind="modelled",
        rails=("lamp",),
        boundary="modelled",
        interval_s=interval_ms / 1000,
        resolution_j=0.0,
        details={"watts": repr(watts)},
    )
    return PolledSource(info, lambda: {"lamp": watts * time.perf_counter()})
'''
FILES = ["lamp.py", "somebody-1.0.dist-info/METADATA", "somebody-1.0.dist-info/entry_points.txt"]


@pytest.mark.usefixtures("no_figures")
def test_a_new_energy_source_measures_is_listed_and_has_its_options_checked(outside: Outside) -> None:
    outside.add("energy", "lamp", where="lamp:lamp", text=MODULE)
    assert outside.files == FILES

    listed = {
        p["name"]: p
        for p in json.loads(outside.works("doctor", "--plugins", "--json"))
        if p["group"] == "energy"
    }
    assert listed["lamp"]["options"] == {"watts": "5.0", "interval_ms": "20"}

    suite = write_suite(outside.cwd, energy={"source": "lamp", "watts": 60.0}, gates={"ungated": {}})
    run = outside.run(suite, own_process=True)
    slots = Story.of(run).slots
    assert slots
    for slot in slots:
        assert slot.kind == "modelled"
        assert slot.gross_j == pytest.approx(60.0 * slot.seconds_s, rel=0.02)
    assert "NOT a measurement" in outside.works("report", str(run))

    unknown = write_suite(outside.cwd, energy={"source": "lamp", "wats": 60.0})
    assert "no option 'wats'; did you mean 'watts'" in outside.refused("run", str(unknown))
