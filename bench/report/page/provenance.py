"""Where a run's numbers come from, as the page tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.report.readback import lag_of_session
from bench.run.minutes import sentence
from bench.run.observed import NOT_SHOWN
from bench.run.records import SessionRecord, SizedRecord
from bench.run.store import StoredRun
from bench.show.table import Table
from bench.show.words import kind_label
from bench.suite import cadence
from bench.suite.header import Git, Host, ModelFound
from energy.lag import PRIOR_S

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
    "mode": "power mode",
}
UNKNOWN = "not known"


def facts_table(run: StoredRun) -> Table:
    """Machine, meter, models, prompts, packages and git state of a run."""
    header = run.header
    rows = [
        ("run", header.run_id),
        ("started (UTC)", header.started_utc),
        ("sessions", run.sessions),
        *_host(header.host),
        *_meters(run),
        *(("minutes", sentence(sized)) for sized in run.of(SizedRecord)),
        *_models(header.models),
        *_loaded(run),
        ("prompts", f"{header.prompts.file}, {len(header.prompts.ids)} prompts"),
        ("prompts SHA-256", header.prompts.sha256),
        ("suite SHA-256", header.suite.sha256),
        ("git", _git(header.git)),
        ("Python", header.python),
        *sorted(header.packages.items()),
        *sorted(header.environment.items()),
    ]
    return Table.plain(
        name="provenance",
        title="Where the numbers come from",
        headings=("fact", "value"),
        rows=[(name, UNKNOWN if value is None else value) for name, value in rows],
    )


def known(facts: Table) -> Table:
    """The facts of which there is a value."""
    return replace(facts, rows=[row for row in facts.rows if row[1] != UNKNOWN])


def unknown(facts: Table) -> list[str]:
    """And the names of the others."""
    return [str(row[0]) for row in facts.rows if row[1] == UNKNOWN]


def _host(host: Host) -> list[tuple[str, Any]]:
    known = {**vars(host), "mode": host.mode}
    if host.memory_bytes is not None:
        known = {**known, "memory_bytes": f"{host.memory_bytes / 2**30:.0f} GiB"}
    return [(label, known[name]) for name, label in _HOST.items()]


def _meters(run: StoredRun) -> list[tuple[str, Any]]:
    facts = []
    for session in run.of(SessionRecord):
        source = session.source
        value = (
            f"{source.name}, {kind_label([source.kind])}, boundary {source.boundary}, rails "
            f"{' + '.join(source.rails)}, asked for every {1000 * source.interval_s:.0f} ms ({session.note})"
        )
        if ("energy source", value) not in facts:
            facts.append(("energy source", value))
        if session.reading_s is not None:
            seen = cadence.sentence(session.stretched, cadence_s=session.reading_s)
            facts.append((f"readings, session {session.session}", seen))
        if session.kept_awake:
            facts.append((f"kept awake, session {session.session}", session.kept_awake))
        lag = lag_of_session(run, session.session)
        unknown = f"not known: {1e3 * PRIOR_S:.0f} ms are in every bound"
        facts.append((f"lag of the meter, session {session.session}", unknown if lag is None else str(lag)))
    return facts


def _models(models: dict[str, ModelFound]) -> list[tuple[str, Any]]:
    return [
        row
        for key, model in models.items()
        for row in (
            (f"model {key}", _settings(model)),
            (f"model {key}, revision", model.revision),
            (f"model {key}, weights SHA-256", model.weight_sha256),
        )
    ]


def _loaded(run: StoredRun) -> list[tuple[str, Any]]:
    """What each backend made of a model, once where all sessions say the same."""
    rows: dict[tuple[str, str], None] = {}
    for session in run.of(SessionRecord):
        for name, info in session.loaded.items():
            told = [f"{key.replace('_', ' ')} {value}" for key, value in info.settings.items()]
            if info.served is not None:
                words = [f"served at {info.served.url}", NOT_SHOWN, *told]
            else:
                size = f"{info.weight_bytes / 1e6:.0f} MB of weights"
                words = [info.architecture, info.dtype, info.device, size, f"cache {info.cache}", *told]
            rows[f"loaded {name}", ", ".join(words)] = None
    return list(rows)


def _settings(model: ModelFound) -> str:
    settings = {"dtype": model.dtype, "layers": model.layers} if model.url is None else {"url": model.url}
    return ", ".join(
        [model.name, *(f"{key} {value}" for key, value in settings.items() if value is not None)]
    )


def _git(git: Git | None) -> str | None:
    if git is None or git.commit is None:
        return None
    return f"{git.commit}{', with changes that are not committed' if git.dirty else ''}"
