import os
import subprocess
import sys
import time

import pytest

from energy import cputime
from energy.cputime import DescendantsCpu, cpu_s
from tests.energy.samples import burner


def test_cpu_seconds_of_a_process_are_exact():
    before_s = cpu_s(os.getpid())
    started_s = time.process_time()
    while time.process_time() < started_s + 0.1:
        pass
    assert cpu_s(os.getpid()) - before_s == pytest.approx(0.1, abs=0.05)


def test_a_process_that_is_gone_has_none():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert cpu_s(child.pid) is None


def test_children_count_from_when_they_are_seen_and_after_they_have_ended(monkeypatch):
    monkeypatch.setattr(cputime, "SCAN_S", 0.0)
    with burner() as busy:
        busy.burn(0.01)
        below = DescendantsCpu(os.getpid())
        assert below.seconds() == 0.0
        busy.burn(0.2)
        assert below.seconds() == pytest.approx(0.2, abs=0.05)
    assert below.seconds() == pytest.approx(0.2, abs=0.1)


def test_a_root_that_is_gone_leaves_what_was_counted():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert DescendantsCpu(child.pid).seconds() == 0.0


def test_a_child_that_came_and_went_unseen_counts_once_when_it_was_waited_for(monkeypatch):
    below = DescendantsCpu(os.getpid())
    below.seconds()
    monkeypatch.setattr(cputime, "SCAN_S", 3600.0)
    below._next_scan_s = 1e9
    with burner() as busy:
        busy.burn(0.1)
        assert below.seconds() == 0.0
    assert below.seconds() == pytest.approx(0.1, abs=0.08)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell it of this process alone")
def test_what_was_counted_while_it_ran_is_not_counted_again_by_those_that_wait_for_it(monkeypatch):
    monkeypatch.setattr(cputime, "SCAN_S", 0.0)
    spin = f"'{sys.executable}' -S -c 'import time\nwhile time.process_time() < 0.1: pass'"
    below = DescendantsCpu(os.getpid())
    before_s = cputime.reaped_s(os.getpid())
    below.seconds()
    child = subprocess.Popen(["sh", "-c", f"{spin}; {spin}; true"])
    while child.poll() is None:
        below.seconds()
        time.sleep(0.01)
    assert below.seconds() == pytest.approx(cputime.reaped_s(os.getpid()) - before_s, abs=0.03)
