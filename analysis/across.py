"""One effect on several machines: a random-effects summary, which tells how much the machines differ too.

Each machine has an effect of its own, and theirs scatter around the mean of all such machines with a variance
tau^2 beside that of each measurement. tau^2 is that of Paule and Mandel (1982, J. Res. Natl. Bur. Stand.
87:377): with it the weighted squares are just as large as chance would make them. DerSimonian and Laird's
(1986) is its first step, and too small where machines differ much (Veroniki et al. 2016, Res. Synth. Methods
7:55). The interval of the mean is Hartung and Knapp's (2001, Stat. Med. 20:3875), by t with machines - 1
degrees of freedom, and never narrower than with the plain variance (Roever et al. 2015, BMC Med. Res.
Methodol. 15:99). Where a further machine would lie is the prediction interval of Higgins, Thompson and
Spiegelhalter (2009, J. R. Stat. Soc. A 172:137), by t with machines - 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.values import LEVEL, Estimate

FEWEST_MACHINES = 5
"""Of fewer nobody can say how much machines differ."""
_MOST_TAU2 = 1e6


@dataclass(frozen=True, kw_only=True)
class MachineEffect:
    """What one machine says."""

    log_ratio: float
    """Logarithm of treated over baseline."""
    standard_error: float
    """Of that; above 0."""


@dataclass(frozen=True, kw_only=True)
class AcrossMachines:
    """What they say together; ratios are treated over baseline."""

    machines: int
    ratio: Estimate
    """Of the mean machine."""
    next_machine: Estimate
    """Where the ratio of a further such machine lies."""
    tau: float
    """Standard deviation of the machines' log-ratios, without what measuring adds."""
    i2: float
    """Share of what they scatter that measuring does not explain (Higgins and Thompson 2002)."""
    p_alike: float
    """How often machines that are alike would scatter so much (Cochran's Q)."""


def across(effects: Sequence[MachineEffect], *, level: float = LEVEL) -> AcrossMachines | None:
    """The summary; None of fewer than five machines."""
    from scipy import stats

    count = len(effects)
    if count < FEWEST_MACHINES:
        return None
    values = np.array([effect.log_ratio for effect in effects])
    variances = np.array([effect.standard_error for effect in effects]) ** 2
    q = _weighted_squares(0.0, values, variances)
    tau2 = _paule_mandel(values, variances)
    weights = 1 / (variances + tau2)
    mean = float(np.average(values, weights=weights))
    scatter = max(1.0, _weighted_squares(tau2, values, variances) / (count - 1))
    error = float(np.sqrt(scatter / weights.sum()))
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    further = float(stats.t.ppf((1 + level) / 2, count - 2) * np.sqrt(tau2 + error**2))
    return AcrossMachines(
        machines=count,
        ratio=_ratio(mean, reach),
        next_machine=_ratio(mean, further),
        tau=float(np.sqrt(tau2)),
        i2=max(0.0, 1 - (count - 1) / q) if q > 0 else 0.0,
        p_alike=float(stats.chi2.sf(q, count - 1)),
    )


def _weighted_squares(tau2: float, values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    weights = 1 / (variances + tau2)
    return float(np.sum(weights * (values - np.average(values, weights=weights)) ** 2))


def _paule_mandel(values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """The tau^2 with which the weighted squares are what their degrees of freedom are; they fall with it."""
    from scipy.optimize import brentq

    free = len(values) - 1

    def excess(tau2: float) -> float:
        return _weighted_squares(tau2, values, variances) - free

    return float(brentq(excess, 0.0, _MOST_TAU2)) if excess(0.0) > 0 else 0.0


def _ratio(log_ratio: float, reach: float) -> Estimate:
    return Estimate(*(float(np.exp(log_ratio + off)) for off in (0.0, -reach, reach)))
