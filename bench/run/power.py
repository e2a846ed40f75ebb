"""What feeds the machine and how hard it may run: read around every slot, as either can change in a run."""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = {"AC Power": "ac", "Battery Power": "battery", "UPS Power": "ups"}
MODES = {"0": "automatic", "1": "low", "2": "high"}


@dataclass(frozen=True, kw_only=True)
class Power:
    """The power supply; None where it is not known."""

    source: str | None = None
    """ac, battery or ups."""
    mode: str | None = None
    """automatic, low or high."""
    charging: bool | None = None
    """Whether the battery fills up: a wall meter sees that, the chip's own meter does not."""


def of_pmset(settings: str, supply: str) -> Power:
    """What `pmset` says.

    Args:
        settings: of `pmset -g`. Macs with a High Power mode print `powermode` 0, 1 or 2, the others
            `lowpowermode` 0 or 1, some both.
        supply: of `pmset -g batt`. Its first line names the source, the others a battery each; the battery of
            a UPS is not the machine's own.
    """
    said = dict(line.split()[:2] for line in settings.splitlines() if len(line.split()) >= 2)
    low = MODES.get(said.get("lowpowermode", ""))
    batteries = [line for line in supply.splitlines() if "InternalBattery" in line]
    states = [part.strip() for line in batteries for part in line.split(";")]
    return Power(
        source=next((short for name, short in SOURCES.items() if f"'{name}'" in supply), None),
        mode=low if low == "low" else MODES.get(said.get("powermode", ""), low),
        charging=bool({"charging", "finishing charge"} & set(states)) if batteries else None,
    )


def slowed(now: Power) -> str | None:
    """What makes the numbers of this machine those of no other, in words; None where nothing does."""
    told = []
    if now.source == "battery":
        told.append("on battery power (plug in the charger)")
    if now.mode == "low":
        told.append("in low power mode, which slows the chip down (choose Automatic in System Settings)")
    return f"this machine runs {' and '.join(told)}: compared with other such runs alone" if told else None


def changed(before: Power | None, now: Power | None) -> str | None:
    """How the power supply differs from what it was, in words; None if it does not or nobody knows.

    That a battery is full now changes nothing for the chip, and is none.
    """
    if before is None or now is None:
        return None
    pairs = {"source": (before.source, now.source), "mode": (before.mode, now.mode)}
    told = [f"{what} {new}, was {old}" for what, (old, new) in pairs.items() if old and new and old != new]
    return ", ".join(told) or None
