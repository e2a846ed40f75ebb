"""When requests are sent."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from backends.base import RequestError
from backends.openai.traffic import Traffic, send_all


def test_arrivals_are_a_poisson_process() -> None:
    starts_s = np.array(Traffic(rate=5.0, seed=3).starts_s(20_000))
    gaps_s = np.diff(starts_s)
    assert starts_s[0] == 0
    assert gaps_s.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps_s.std() == pytest.approx(0.2, rel=0.03)


def test_no_more_than_asked_for_at_a_time() -> None:
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=30)

    def send(number: int) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1
        return bytes([number])

    assert send_all(send, 6, Traffic(concurrency=2)) == [bytes([n]) for n in range(6)]
    assert most == 2


@pytest.mark.parametrize("traffic", [Traffic(concurrency=4), Traffic(rate=1.0)])
def test_traffic_needs_requests(traffic: Traffic) -> None:
    with pytest.raises(RequestError, match="each prompt is sent 1 times; give a batch of"):
        send_all(lambda _: b"", 1, traffic)
