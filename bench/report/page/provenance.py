"""Where a run's numbers come from, as the page tells it."""

from __future__ import annotations

from typing import Any

from bench.report.page.tables import Table
from bench.run.store import StoredRun
from bench.show.words import kind_label

_HOST = {
    "chip": "chip",
    "gpu_cores": "GPU cores",
    "cpu_cores": "CPU cores",
    "memory_bytes": "memory",
    "system": "system",
    "machine": "architecture",
    "os_version": "OS version",
    "os_build": "OS build",
    "power_source": "power source",
    "low_power_mode": "low-power mode",
}
UNKNOWN = "not known"


def facts_table(run: StoredRun) -> Table:
    """Machine, meter, models, prompts, packages and git state of a run."""
    header = run.header
    rows = [
        ("run", header["run_id"]),
        ("started (UTC)", header["started_utc"]),
        ("sessions", run.sessions),
        *_host(header.get("host") or {}),
        *_meters(run),
        *_models(header.get("models") or {}),
        ("prompts", f"{header['prompts']['file']}, {len(header['prompts']['ids'])} prompts"),
        ("prompts SHA-256", header["prompts"]["sha256"]),
        ("suite SHA-256", header["suite"]["sha256"]),
        ("git", _git(header.get("git") or {})),
        ("Python", header.get("python")),
        *sorted((header.get("packages") or {}).items()),
        *sorted((header.get("environment") or {}).items()),
    ]
    return Table(
        name="provenance",
        title="Where the numbers come from",
        columns=("fact", "value"),
        rows=[(name, UNKNOWN if value is None else value) for name, value in rows],
    )


def _host(host: dict[str, Any]) -> list[tuple[str, Any]]:
    known = dict(host)
    if known.get("memory_bytes") is not None:
        known["memory_bytes"] = f"{known['memory_bytes'] / 2**30:.0f} GiB"
    return [(label, known.get(name)) for name, label in _HOST.items()]


def _meters(run: StoredRun) -> list[tuple[str, Any]]:
    found = []
    for session in run.of_type("session"):
        source = session["source"]
        value = (
            f"{source['name']}, {kind_label([source['kind']])}, boundary {source['boundary']}, rails "
            f"{' + '.join(source['rails'])}, every {1000 * source['interval_s']:.0f} ms ({session['note']})"
        )
        if ("energy source", value) not in found:
            found.append(("energy source", value))
    return found


def _models(models: dict[str, dict[str, Any]]) -> list[tuple[str, Any]]:
    return [
        row
        for key, model in models.items()
        for row in (
            (f"model {key}", _settings(model)),
            (f"model {key}, revision", model.get("revision")),
            (f"model {key}, weights SHA-256", model.get("weight_sha256")),
        )
    ]


def _settings(model: dict[str, Any]) -> str:
    hidden = ("name", "revision", "weight_sha256")
    rest = [f"{k} {v}" for k, v in model.items() if k not in hidden and v is not None]
    return ", ".join([str(model.get("name")), *rest])


def _git(git: dict[str, Any]) -> str | None:
    if git.get("commit") is None:
        return None
    return f"{git['commit']}{', with changes that are not committed' if git.get('dirty') else ''}"
