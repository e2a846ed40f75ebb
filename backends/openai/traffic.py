"""When the requests that are sent as one are sent: all at once, so many at a time, or as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from backends.base import RequestError


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Of the requests of a batch."""

    concurrency: int | None = None
    """So many at a time, the next one as soon as one is answered (a closed loop); None: all at once."""
    rate: float | None = None
    """Arrivals a second in place of that, at random times (Poisson), whether or not others are answered."""
    seed: int = 0

    @property
    def settings(self) -> dict[str, int | float]:
        """For the record of a run."""
        settings: dict[str, int | float] = {}
        settings |= {} if self.concurrency is None else {"concurrency": self.concurrency}
        return settings | ({} if self.rate is None else {"rate": self.rate})

    def starts_s(self, batch: int) -> list[float]:
        """When each is sent at the earliest, in seconds from the first.

        Raises:
            RequestError: so few requests have no such traffic.
        """
        least = 2 if self.rate is not None else self.concurrency or 1
        if batch < least:
            asked = f"concurrency = {least}" if self.rate is None else f"rate = {self.rate:g}"
            raise RequestError(
                f"{asked}, but each prompt is sent {batch} times", fix=f"give a batch of {least} or more"
            )
        if self.rate is None:
            return [0.0] * batch
        gaps_s = np.random.default_rng(self.seed).exponential(1 / self.rate, batch - 1)
        return [0.0, *map(float, np.cumsum(gaps_s))]


def send_all(send: Callable[[int], bytes], batch: int, traffic: Traffic) -> list[bytes]:
    """Call `send` with each number below `batch`, as the traffic says; waits for all.

    Raises:
        RequestError: what one of them raised, once none is under way.
    """
    starts_s = traffic.starts_s(batch)
    if batch == 1:
        return [send(0)]
    began_s = time.perf_counter()

    def send_then(number: int) -> bytes:
        time.sleep(max(0.0, began_s + starts_s[number] - time.perf_counter()))
        return send(number)

    with ThreadPoolExecutor(traffic.concurrency or batch) as pool:
        return list(pool.map(send_then, range(batch)))
