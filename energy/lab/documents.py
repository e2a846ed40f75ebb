"""powermetrics documents of our own making, in the shapes that real chips and releases print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
    '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
    '<plist version="1.0">\n<dict>\n'
)
TAIL = "</dict>\n</plist>\n"


@dataclass(frozen=True, kw_only=True)
class ChipShape:
    """What a chip under a release of macOS prints."""

    model: str
    clusters: tuple[tuple[str, int], ...]
    """(name, cores) of each cluster; names are opaque."""
    states: int = 6
    """Frequencies in each core's table; the tables are what makes documents long."""
    rails: tuple[str, ...] = ("cpu", "gpu", "ane")
    combined: bool = True
    """Whether `combined_power` is printed; macOS 13 and later."""
    gpu: bool = True


SHAPES = {
    "m1-macos12": ChipShape(
        model="MacBookAir10,1",
        clusters=(("E-Cluster", 4), ("P-Cluster", 4)),
        rails=("cpu", "gpu", "ane", "dram", "package"),
        combined=False,
    ),
    "m1": ChipShape(model="MacBookPro17,1", clusters=(("E-Cluster", 4), ("P-Cluster", 4))),
    "m4-max": ChipShape(
        model="Mac16,5", clusters=(("E-Cluster", 4), ("P0-Cluster", 6), ("P1-Cluster", 6)), states=20
    ),
    "m3-ultra": ChipShape(
        model="Mac15,14",
        clusters=(
            *(("E-Cluster", 4), ("P0-Cluster", 6), ("P1-Cluster", 6)),
            *(("E-Cluster", 4), ("P2-Cluster", 6), ("P3-Cluster", 6)),
        ),
        states=18,
    ),
    "m5": ChipShape(model="Mac17,2", clusters=(("M0-Cluster", 6), ("S-Cluster", 4)), states=12),
    "gpu-only": ChipShape(model="Mac16,8", clusters=(), rails=(), combined=False),
    "intel": ChipShape(model="MacBookPro16,1", clusters=(), rails=("package",), combined=False, gpu=False),
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one document says."""

    elapsed_ns: int
    label_s: float
    """POSIX time of the interval's end; the document keeps the whole second."""
    energies_mj: Mapping[str, int]
    powers_mj: Mapping[str, int] | None = None
    """Energies that the printed powers follow from, in a document that contradicts itself."""
    active_cores: float = 0.0
    """Mean number of cores that were not idle."""
    gpu_active: float = 0.0
    """Share of the time in which the GPU was not idle."""
    is_delta: bool = True
    invalid: bool = False
    without: frozenset[str] = field(default_factory=frozenset)
    """Rails that this document does not print though its shape does."""


def document(told: Told, shape: ChipShape) -> bytes:
    """One document, ending as the tool ends it."""
    label = datetime.fromtimestamp(int(told.label_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = (
        _key("is_delta", f"<{str(told.is_delta).lower()}/>")
        + _integer("elapsed_ns", told.elapsed_ns)
        + _key("hw_model", f"<string>{shape.model}</string>")
        + _key("kern_osversion", "<string>25A1</string>")
        + _key("timestamp", f"<date>{label}</date>")
    )
    if shape.rails:
        body += _key("processor", f"<dict>\n{_processor(told, shape)}</dict>")
    body += _key("thermal_pressure", "<string>Nominal</string>")
    if shape.gpu:
        body += _key("gpu", f"<dict>\n{_gpu(told, shape)}</dict>")
    return (HEAD + body + TAIL).encode()


def _processor(told: Told, shape: ChipShape) -> str:
    seconds = told.elapsed_ns * 1e-9
    lines = _key("invalid", "<true/>") if told.invalid else ""
    lines += _clusters(told.active_cores, shape)
    for rail in shape.rails:
        if rail not in told.without:
            lines += _energy(told, rail, seconds, intel=not shape.gpu)
    if shape.combined:
        combined_mj = sum(told.energies_mj.get(rail, 0) for rail in ("cpu", "gpu", "ane"))
        lines += _real("combined_power", combined_mj / seconds)
    return lines


def _energy(told: Told, rail: str, seconds: float, *, intel: bool) -> str:
    """Apple silicon prints mJ and mW, Intel J and W."""
    energy_mj = told.energies_mj.get(rail, 0)
    power_mw = (told.powers_mj or told.energies_mj).get(rail, 0) / seconds
    if intel:
        return _real(f"{rail}_joules", energy_mj / 1e3) + _real(f"{rail}_watts", power_mw / 1e3)
    return _integer(f"{rail}_energy", energy_mj) + _real(f"{rail}_power", power_mw)


def _clusters(active_cores: float, shape: ChipShape) -> str:
    cores = sum(count for _, count in shape.clusters)
    if not cores:
        return ""
    idle_ratio = 1.0 - min(1.0, active_cores / cores)
    tables = _states(shape.states)
    core = "<dict>\n" + _real("idle_ratio", idle_ratio) + tables + "</dict>\n"
    clusters = "".join(
        f"<dict>\n{_key('name', f'<string>{name}</string>')}{_real('idle_ratio', idle_ratio)}{tables}"
        f"{_key('cpus', f'<array>{core * count}</array>')}</dict>\n"
        for name, count in shape.clusters
    )
    return _key("clusters", f"<array>\n{clusters}</array>")


def _gpu(told: Told, shape: ChipShape) -> str:
    lines = _real("freq_hz", 338.0) + _real("idle_ratio", 1.0 - told.gpu_active) + _states(shape.states)
    return lines + _integer("gpu_energy", told.energies_mj.get("gpu", 0))


def _states(count: int) -> str:
    state = _integer("freq", 600) + _integer("used_ns", 12345678) + _real("used_ratio", 0.123456)
    return _key("dvfm_states", f"<array>\n{f'<dict>{chr(10)}{state}</dict>{chr(10)}' * count}</array>")


def _key(name: str, value: str) -> str:
    return f"<key>{name}</key>{value}\n"


def _integer(name: str, value: int) -> str:
    return _key(name, f"<integer>{value}</integer>")


def _real(name: str, value: float) -> str:
    return _key(name, f"<real>{value:.6g}</real>")
