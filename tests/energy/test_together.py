import time
from pathlib import Path

import psutil
import pytest

from energy.base import SourceUnavailable
from energy.modelled import modelled
from energy.powermetrics import powermetrics
from energy.together import Together, cross_check

NAN = float("nan")


def test_rails_that_lie_within_both_bounds_agree():
    found = cross_check({"cpu": (100.0, 0.5), "ane": (0.0, 0.1)}, {"cpu": (102.0, 0.5), "dram": (7.0, 0.1)})
    assert found.agrees is True
    assert found.reason == "agrees in cpu"


def test_a_rail_that_differs_is_named():
    found = cross_check({"cpu": (100.0, 0.5), "gpu": (50.0, 1.0)}, {"cpu": (110.0, 0.5), "gpu": (50.0, 1.0)})
    assert found.agrees is False
    assert found.reason == "differs in cpu by +10 J where 4.3 J is allowed"


def test_without_a_common_rail_nothing_is_said():
    assert cross_check({"cpu": (1.0, 0.1)}, {"package": (1.0, 0.1)}).agrees is None
    assert cross_check({"cpu": (NAN, NAN)}, {"cpu": (1.0, 0.1)}).agrees is None


def test_one_leads_and_the_other_runs_beside_it(tmp_path: Path):
    both = Together(modelled(idle_w=2.0, interval_ms=20), [modelled(idle_w=3.0, interval_ms=20)])
    both.check()
    both.start(tmp_path)
    assert both.wait(time.perf_counter() + 0.2, timeout_s=2)
    lead, (other,) = both.trace(), both.other_traces()
    both.stop()
    assert both.info.details["idle_w"] == "2.0"
    assert [info.details["idle_w"] for info in both.other_infos] == ["3.0"]
    assert other.joules.sum() > lead.joules.sum() > 0
    assert (tmp_path / "modelled" / "power.raw").exists()


def test_when_one_can_not_start_none_is_left_running(tmp_path: Path):
    both = Together(modelled(), [powermetrics(path=str(tmp_path / "nothing"))])
    with pytest.raises(SourceUnavailable):
        both.start(tmp_path)
    assert not [thread for thread in psutil.Process().children() if thread.is_running()]
    both.stop()
