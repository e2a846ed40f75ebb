"""A plan's seconds for the cadence of its meter (`energy.cadence`)."""

from __future__ import annotations

from collections.abc import Mapping

from bench.suite.config import Protocol
from energy import cadence
from energy.cadence import Need

NEEDS: dict[str, Need] = {
    "min_window_s": cadence.WINDOW,
    "idle_s": cadence.IDLE,
    "cool_down_s": cadence.REST,
    "self_test_s": cadence.SELF_TEST,
}
"""Lengths of a protocol that count readings."""

NAMES = {"min_window_s": "windows", "idle_s": "idle", "cool_down_s": "rest", "self_test_s": "self-test"}


def stretched(protocol: Protocol, cadence_s: float) -> Protocol:
    """The protocol with lengths that hold the readings which they were written for, none of them shorter.

    What comes back is written for this cadence: stretching it again changes nothing.

    Args:
        protocol: as a suite states it.
        cadence_s: seconds between readings, as seen.
    """
    lengths = {
        name: cadence.lasting(
            getattr(protocol, name), need, cadence_s=cadence_s, written_for_s=protocol.reading_s
        )
        for name, need in NEEDS.items()
    }
    return protocol.model_copy(update={**lengths, "reading_s": max(protocol.reading_s, cadence_s)})


def changes(stated: Protocol, actual: Protocol) -> dict[str, float]:
    """The lengths that are not as stated, by key of the protocol."""
    return {name: getattr(actual, name) for name in NEEDS if getattr(actual, name) != getattr(stated, name)}


def sentence(longer: Mapping[str, float], *, cadence_s: float) -> str:
    """`a reading every 245 ms: windows lengthened to 11.4 s, idle to 3.1 s`.

    Args:
        longer: what was lengthened, as `changes` gives it.
        cadence_s: seconds between readings.
    """
    seen = f"a reading every {1e3 * cadence_s:.0f} ms"
    if not longer:
        return seen
    first, *others = (f"{NAMES[name]}{{}} to {seconds_s:g} s" for name, seconds_s in longer.items())
    return f"{seen}: " + ", ".join([first.format(" lengthened"), *(other.format("") for other in others)])
