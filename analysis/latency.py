"""Seconds between tokens -> the percentiles that so many of them can show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEWEST = {50: 1, 95: 20, 99: 100}
"""Samples for a percentile: with fewer, less than one of them lies beyond it."""


def percentile(samples_s: Sequence[float], percent: int) -> float | None:
    """The percentile of some seconds; None where they are too few for it.

    Args:
        samples_s: seconds.
        percent: 50, 95 or 99.
    """
    return float(np.percentile(samples_s, percent)) if len(samples_s) >= FEWEST[percent] else None
