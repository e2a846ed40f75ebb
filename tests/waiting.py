"""Waiting for what happens in another process or thread, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 240.0
"""Nothing takes as long on any machine: an end for what would hang."""


def wait_for(what: Callable[[], Any]) -> Any:
    """Poll until `what()` is true, and return it."""
    deadline_s = time.perf_counter() + TIMEOUT_S
    while not (found := what()):
        if time.perf_counter() > deadline_s:
            raise TimeoutError(f"did not happen within {TIMEOUT_S} s")
        time.sleep(0.02)
    return found
