"""One document of powermetrics -> one reading. The only place that knows millijoules and milliwatts.

Every key is optional, because every macOS release moved some of them: 13 and later print `cpu_energy
gpu_energy ane_energy` under `processor`, 11 and 12 add `dram_energy` and `package_energy`, an Intel Mac
prints `package_joules`, and `gpu_power` sampled alone prints no `processor` at all. Energy is preferred to
power: the tool divides one by the other and rounds, so the millijoules are what it knows.

`gpu.gpu_energy` and `processor.gpu_energy` are two looks at one rail, 1-3 % apart. The processor's is used
and the other only where it is the sole one; they are never added.
"""

from __future__ import annotations

import math
import plistlib
import re
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

from energy.base import DocumentError, RailFault, Reading

MAX_DOCUMENT_BYTES = 16 * 2**20
"""Real documents have 7-260 KB; one above this is not a document."""

MANY = 10**40
MILLI = 1e-3
LONGEST_INTERVAL_S = 3600.0
LONGEST_UPTIME_S = 3.2e8
"""A block of activity since boot may span years; an interval of a meter may not."""

ROUNDED_J = 2e-3
AGREES_WITHIN = 0.02
"""Energy and power of one rail are one figure in two units: apart by rounding to a millijoule, no more."""

RAILS = ("cpu", "gpu", "ane", "dram", "package")

# Tables of frequencies and states: nine tenths of a document, no energy in them, and no array inside
# them, so the first closing tag is theirs.
_STATE_TABLE = re.compile(rb"<key>(?:dvfm_states|requested_freq|sw_requested_state|sw_state)</key>\s*<array>")
_INTERPRETED = {"is_delta", "elapsed_ns", "timestamp", "thermal_pressure", "hw_model", "kern_osversion"}
_UNREADABLE = (ExpatError, ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)


def parse(document: bytes) -> Reading:
    """Read one plist document.

    Args:
        document: the bytes of one document, with or without the NULs that separate documents.

    Returns:
        The reading: seconds and joules. A rail that is not printed is absent; one that is printed as
        invalid, negative, not finite, or as an energy that the printed power contradicts, is None and named
        in `faults`.

    Raises:
        DocumentError: cut, mangled, too long, or carrying declarations that no meter writes.
    """
    tree = _tree(document)
    elapsed_s = _elapsed_s(tree)
    processor, gpu = _section(tree, "processor"), _section(tree, "gpu")
    section = processor if any(_prints(processor, rail) for rail in RAILS) else gpu
    joules = {rail: _rail_j(section, rail, elapsed_s) for rail in RAILS if _prints(section, rail)}
    invalid = tree.get("invalid") is True or _is_invalid(section)
    faults = _rail_faults(section, joules, elapsed_s, invalid=invalid)
    joules |= {fault.rail: None for fault in faults}
    return Reading(
        elapsed_s=elapsed_s,
        joules=joules,
        is_delta=tree.get("is_delta") is not False,
        timestamp_s=_timestamp_s(tree.get("timestamp")),
        thermal_pressure=_text(tree.get("thermal_pressure")),
        active_s=_active_s(processor, gpu, elapsed_s),
        host={key: tree[key] for key in ("hw_model", "kern_osversion") if isinstance(tree.get(key), str)},
        faults=tuple(faults),
        other=_other(tree, processor),
    )


def _tree(document: bytes) -> dict[str, Any]:
    """The document as a dictionary; refuses whatever a meter would not write."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise DocumentError(
            f"document of {len(document)} bytes; more than {MAX_DOCUMENT_BYTES} is no reading"
        )
    document = document.strip(b"\0 \r\n\t")
    if not document.startswith((b"<?xml", b"<plist", b"<!DOCTYPE")):
        raise DocumentError(f"document begins with {document[:20]!r}, not with XML")
    if b"\0" in document or document.count(b"<plist") > 1:
        raise DocumentError("two documents run into each other: the first was cut")
    if b"<!ENTITY" in document or _has_internal_subset(document):
        raise DocumentError("document declares entities; powermetrics never does")
    try:
        tree = plistlib.loads(_without_state_tables(document), fmt=plistlib.FMT_XML)
    except _UNREADABLE as error:
        raise DocumentError(f"document of {len(document)} bytes can't be read: {error}") from error
    except plistlib.InvalidFileException as error:
        raise DocumentError(f"document is not a property list: {error}") from error
    if not isinstance(tree, dict):
        raise DocumentError("document holds no dictionary")
    return tree


def _has_internal_subset(document: bytes) -> bool:
    """Whether the DOCTYPE carries declarations of its own, in brackets before its end."""
    begin = document.find(b"<!DOCTYPE")
    return begin >= 0 and b"[" in document[begin : document.find(b">", begin)]


def _without_state_tables(document: bytes) -> bytes:
    """The document without what makes it slow to read; one pass, however it is mangled."""
    kept: list[bytes] = []
    position = 0
    for table in _STATE_TABLE.finditer(document):
        if table.start() < position:  # in one that was taken out
            continue
        end = document.find(b"</array>", table.end())
        if end < 0:
            break
        kept.append(document[position : table.start()])
        position = end + len(b"</array>")
    return b"".join([*kept, document[position:]])


def _section(tree: dict[str, Any], key: str) -> dict[str, Any]:
    section = tree.get(key)
    return section if isinstance(section, dict) else {}


def _number(value: object) -> float | None:
    """A finite number, or None: XML can hold `nan`, booleans and integers beyond any float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    """A value for a message: no number of a million digits, and no nest of a million arrays."""
    if isinstance(value, int) and not -MANY < value < MANY:
        return "a number of more than 40 digits"
    return str(value)[:40] if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _elapsed_s(tree: dict[str, Any]) -> float:
    elapsed_ns = _number(tree.get("elapsed_ns"))
    longest_s = LONGEST_UPTIME_S if tree.get("is_delta") is False else LONGEST_INTERVAL_S
    if elapsed_ns is None or not 0 < elapsed_ns * 1e-9 <= longest_s:
        raise DocumentError(f"document has no usable elapsed_ns: {_shown(tree.get('elapsed_ns'))}")
    return elapsed_ns * 1e-9


def _timestamp_s(value: object) -> float | None:
    """POSIX time of the label; powermetrics writes whole seconds of UTC."""
    return value.replace(tzinfo=UTC).timestamp() if isinstance(value, datetime) else None


def _prints(section: dict[str, Any], rail: str) -> bool:
    return any(f"{rail}_{quantity}" in section for quantity in ("energy", "joules", "power", "watts"))


def _rail_j(section: dict[str, Any], rail: str, elapsed_s: float) -> float | None:
    """One rail's joules. Apple silicon prints mJ and mW; Intel prints J and W."""
    for key, joules_per_unit in (
        (f"{rail}_energy", MILLI),
        (f"{rail}_joules", 1.0),
        (f"{rail}_power", MILLI * elapsed_s),
        (f"{rail}_watts", elapsed_s),
    ):
        if key in section:
            value = _number(section[key])
            return None if value is None or value < 0 else value * joules_per_unit
    return None


def _rail_faults(
    section: dict[str, Any], joules: dict[str, float | None], elapsed_s: float, *, invalid: bool
) -> list[RailFault]:
    """Why figures that are printed can't be believed."""
    faults = []
    for rail, rail_j in joules.items():
        if invalid:
            faults.append(RailFault(kind="invalid", rail=rail, detail=f"the meter marks {rail} as invalid"))
        elif rail_j is None:
            unit = "mJ" if f"{rail}_energy" in section else "J"
            printed = _shown(section.get(f"{rail}_energy", section.get(f"{rail}_joules")))
            detail = f"{rail} can't have used {printed} {unit}"
            faults.append(RailFault(kind="impossible figure", rail=rail, detail=detail))
        elif contradiction := _contradiction(section, rail, rail_j, elapsed_s):
            kind = "self-contradiction" if rail_j else "dead rail"
            faults.append(RailFault(kind=kind, rail=rail, detail=contradiction))
    return faults


def _contradiction(section: dict[str, Any], rail: str, rail_j: float, elapsed_s: float) -> str | None:
    """How a rail's energy contradicts its power, which the tool computes from it; None if it does not."""
    milliwatts, watts = _number(section.get(f"{rail}_power")), _number(section.get(f"{rail}_watts"))
    power_w = milliwatts * MILLI if milliwatts is not None else watts
    if power_w is None:
        return None
    apart_j = abs(rail_j - power_w * elapsed_s)
    if apart_j <= ROUNDED_J + AGREES_WITHIN * max(rail_j, power_w * elapsed_s):
        return None
    return f"{rail} prints {rail_j:.4g} J and {power_w:.4g} W for the same {elapsed_s:.3g} s"


def _is_invalid(section: dict[str, Any]) -> bool:
    """Whether `--handle-invalid-values` marked this section or a cluster in it."""
    clusters = section.get("clusters")
    parts = [section, *(clusters if isinstance(clusters, list) else [])]
    return any(isinstance(part, dict) and part.get("invalid") is True for part in parts)


def _active_s(processor: dict[str, Any], gpu: dict[str, Any], elapsed_s: float) -> dict[str, float]:
    """Core-seconds of activity. Ratios are used: residency windows are not `elapsed_ns` long."""
    active: dict[str, float] = {}
    cores = [_active_ratio(core) for core in _cores(processor)]
    if any(ratio is not None for ratio in cores):
        active["cpu"] = elapsed_s * sum(ratio for ratio in cores if ratio is not None)
    gpu_ratio = _active_ratio(gpu)
    if gpu_ratio is not None:
        active["gpu"] = elapsed_s * gpu_ratio
    return active


def _cores(processor: dict[str, Any]) -> list[Any]:
    """Cores of all clusters, whatever the clusters are called on this chip."""
    clusters = processor.get("clusters")
    cores: list[Any] = []
    for cluster in clusters if isinstance(clusters, list) else []:
        cpus = cluster.get("cpus") if isinstance(cluster, dict) else None
        cores += cpus if isinstance(cpus, list) else []
    return cores


def _active_ratio(part: object) -> float | None:
    """Share of the time in which a core or the GPU was neither idle nor powered down."""
    if not isinstance(part, dict):
        return None
    idle = _number(part.get("idle_ratio"))
    if idle is None:
        return None
    down = _number(part.get("down_ratio")) or 0.0
    return min(1.0, max(0.0, 1.0 - idle - down))


def _other(tree: dict[str, Any], processor: dict[str, Any]) -> dict[str, object]:
    """Scalars that are not interpreted, so that a release's new keys are not lost."""
    known = {f"{rail}_{unit}" for rail in RAILS for unit in ("energy", "joules", "power", "watts")}
    other: dict[str, object] = {}
    for prefix, section, skip in (("", tree, _INTERPRETED), ("processor.", processor, known)):
        for key, value in section.items():
            if key not in skip and (isinstance(value, str | bool) or _number(value) is not None):
                other[prefix + key] = value
    return other
