"""Intel's and AMD's running average power limit, through Linux's powercap files.

Each zone holds `name`, `energy_uj`, a counter of microjoules, and `max_energy_range_uj`, at which it starts
again from zero: after 43 minutes at 100 W on many machines. Since CVE-2020-8694 only root may read it.
Zones nest; packages and their DRAM don't overlap, cores lie within packages and are not added.

https://www.kernel.org/doc/html/latest/power/powercap/powercap.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from energy.base import EnergySource, SourceInfo, SourceUnavailable
from energy.polled import Counters, PolledSource

MICRO = 1e-6
UPDATES_S = 0.001
"""The counters move about once a millisecond."""


def rapl(*, interval_ms: int = 100, root: Path = Path("/sys/class/powercap")) -> EnergySource:
    """Package and DRAM energy of a Linux machine.

    Args:
        interval_ms: milliseconds between readings, e.g. 100.
        root: where the powercap files are, e.g. Path("/sys/class/powercap").
    """
    zones = list(_zones(root))
    counters = [_Unwrapped(zone) for zone in zones]
    rails = ("package", "dram") if any(zone.rail == "dram" for zone in zones) else ("package",)

    def read() -> Counters:
        if not zones:
            raise SourceUnavailable(f"no RAPL counter in {root}", fix="use --energy modelled")
        return {
            rail: sum(counter.joules() for counter in counters if counter.zone.rail == rail) for rail in rails
        }

    info = SourceInfo(
        name="rapl",
        kind="measured",
        rails=rails,
        boundary="soc_plus_dram" if "dram" in rails else "package",
        interval_s=interval_ms / 1000,
        resolution_j=MICRO,
        stamp_s=UPDATES_S,
        details={"zones": ", ".join(str(zone.folder.name) for zone in zones)},
    )
    return PolledSource(info, read)


@dataclass(frozen=True)
class _Zone:
    folder: Path
    rail: str


def _zones(root: Path) -> Iterator[_Zone]:
    """Packages, and the DRAM zones in them. `psys` covers the packages again and is left out."""
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            name = (folder / "name").read_text().strip()
        except OSError:
            continue
        if name.startswith("package"):
            yield _Zone(folder, "package")
        elif name == "dram":
            yield _Zone(folder, "dram")


class _Unwrapped:
    """A counter that goes on when its file starts again from zero."""

    def __init__(self, zone: _Zone) -> None:
        self.zone = zone
        self._range_uj = 0
        self._last_uj: int | None = None
        self._sum_uj = 0

    def joules(self) -> float:
        """Joules since the first call.

        Raises:
            SourceUnavailable: the file can't be read.
        """
        now_uj = _read(self.zone.folder / "energy_uj")
        if self._last_uj is None:
            self._range_uj = _read(self.zone.folder / "max_energy_range_uj")
            self._last_uj = now_uj
        step_uj = now_uj - self._last_uj
        self._sum_uj += step_uj if step_uj >= 0 else step_uj + self._range_uj
        self._last_uj = now_uj
        return self._sum_uj * MICRO


def _read(file: Path) -> int:
    try:
        return int(file.read_text())
    except PermissionError as error:
        raise SourceUnavailable(
            f"{file} can be read by root only, since power tells secrets (CVE-2020-8694)",
            fix=f"sudo chmod a+r {file.parent.parent}/*/energy_uj",
        ) from error
    except (OSError, ValueError) as error:
        raise SourceUnavailable(f"{file} can't be read: {error}") from error
