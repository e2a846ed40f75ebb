"""How concentrated are a prompt's hidden states? The 11th eigenvalue, and forms without its scale.

The papers' lambda11 is an eigenvalue of a D x D covariance. A prompt has far fewer tokens than the model
has dimensions, so the same non-zero eigenvalues come from the L x L Gram matrix of the centred states at
a fraction of the work. lambda11 grows with the states' norm and with L; the shares do not carry the norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.values import FloatArray, Withheld

LEADING = 10
RIDGE = 1e-8
"""Times the mean variance, added to the diagonal as the papers do."""


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Of the ridged covariance C of L hidden states over tokens."""

    lambda11: float
    """11th largest eigenvalue, in squared units of the hidden states."""
    lambda11_share: float
    """lambda11 / trace(C)."""
    tail_share: float
    """1 - the ten largest eigenvalues / trace(C)."""
    participation: float
    """trace(C)^2 / trace(C^2): how many directions the states spread over, from 1 to D."""


def spectrum(hidden: ArrayLike) -> Spectrum | Withheld:
    """Spectral concentration of the hidden states after the final norm.

    Args:
        hidden: shape (L, D): L tokens of D dimensions.

    Returns:
        The figures; withheld below eleven tokens or dimensions, or if the states do not vary.
    """
    states = np.asarray(hidden, dtype=np.float64)
    tokens, width = states.shape
    if min(tokens, width) <= LEADING:
        return Withheld(f"{tokens} tokens of {width} dimensions have no 11th eigenvalue")
    if not np.all(np.isfinite(states)):
        return Withheld("a hidden state is not finite")
    eigenvalues = covariance_eigenvalues(states)
    variance = float(eigenvalues.sum())
    if variance == 0:
        return Withheld("the hidden states do not vary")
    ridge = RIDGE * variance / width
    trace = variance + width * ridge
    trace_of_square = float(np.sum(eigenvalues**2)) + 2 * ridge * variance + width * ridge**2
    lambda11 = float(eigenvalues[LEADING]) + ridge
    return Spectrum(
        lambda11=lambda11,
        lambda11_share=lambda11 / trace,
        tail_share=1 - (float(eigenvalues[:LEADING].sum()) + LEADING * ridge) / trace,
        participation=trace**2 / trace_of_square,
    )


def covariance_eigenvalues(states: FloatArray) -> FloatArray:
    """Eigenvalues of the covariance over tokens (ddof 1), without ridge, the largest first.

    Args:
        states: shape (L, D).

    Returns:
        Shape (min(L, D),). Centring takes one dimension, so the L-th is exactly zero where L <= D.
    """
    tokens, width = states.shape
    centred = states - states.mean(axis=0)
    smaller = centred @ centred.T if tokens <= width else centred.T @ centred
    eigenvalues = np.linalg.eigvalsh(smaller / (tokens - 1))[::-1].clip(min=0)
    eigenvalues[tokens - 1 :] = 0
    return np.asarray(eigenvalues)
