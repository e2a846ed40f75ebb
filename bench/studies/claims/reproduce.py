"""Each claim of the papers beside what its own record yields, and beside a run made here.

The record needs no network and no run. A run is judged twice: by the integrated protocol, with readings
taken during the work, and by the published one, a single reading after it times wall time. The same run
holds the A/A arm of both, so what each protocol reports for no change stands beside what it reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.arms import tokens_saved
from analysis.blocks import Per
from analysis.claims import Claim, Rerun, judge_rerun, judge_tokens
from analysis.comparable import unlike
from analysis.published.table import MODULI, record_claims
from analysis.rows import Slot
from analysis.savings import Question, judge
from analysis.values import Estimate, Withheld
from bench.report.rows import agreement_with, arm_label
from bench.studies.claims.evidence import Evidence, gather
from bench.studies.claims.statements import Statement, choose
from bench.studies.claims.sweeps import Resweep, read_sweeps, resweeps
from bench.suite.asked import asked_by_suite
from bench.suite.gates.fingerprint import connectivity


@dataclass(frozen=True, kw_only=True)
class Remeasured:
    """One claim judged on the runs of one machine and one backend."""

    runs: tuple[str, ...]
    backend: str
    blocks: int
    """Whole blocks behind the verdict; for tokens, blocks with a slot of the arm."""
    kind: str
    """Whether the joules are measured, modelled, simulated or replayed."""
    boundary: str
    integrated: Rerun
    published: Rerun | Withheld | None
    """By the published protocol; None for tokens, which no protocol of energy touches."""
    controls: tuple[tuple[str, Rerun], ...]
    """Arms that the gate has to beat, judged by the integrated protocol."""
    agreement: Estimate | Withheld
    """Share of new tokens that equal the ungated ones: the quality that was paid."""
    note: str | None
    """The models, where they are not those of the claim's own suite."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A row of the table of claims."""

    statement: Statement
    record: Claim
    remeasured: tuple[Remeasured, ...]
    resweeps: tuple[Resweep, ...] = ()
    """The same for claims about the strength of a cut, on sweeps."""


def reproduce(names: Sequence[str] = (), runs: Sequence[Path] = ()) -> list[Judged]:
    """Judge claims.

    Args:
        names: of claims, or the beginnings of their names; none means all.
        runs: run folders, or data sets of `bench collect`, on which claims are judged again.

    Raises:
        UserError: an unknown claim, or not a run folder.
        EnergyError: a raw stream can't be read.
    """
    judged, sweeps = judge_statements(choose(names), gather(runs)), read_sweeps(runs)
    return [replace(row, resweeps=resweeps(row.statement.name, sweeps)) for row in judged]


def judge_statements(chosen: Sequence[Statement], found: Sequence[Evidence]) -> list[Judged]:
    """Judge these claims on evidence that was read already."""
    record = {claim.name: claim for claim in record_claims(tables())}
    return [
        Judged(statement=s, record=record[s.name], remeasured=tuple(_remeasured(s, found))) for s in chosen
    ]


def tables() -> dict[int, dict[int, float]]:
    """lambda2 by modulus and residue, undefined residues left out."""
    by_modulus = {m: {n: connectivity(n, m) for n in range(m)} for m in MODULI}
    return {m: {n: x for n, x in values.items() if x is not None} for m, values in by_modulus.items()}


def _remeasured(statement: Statement, found: Sequence[Evidence]) -> list[Remeasured]:
    if statement.gate is None:
        return []
    return [
        _judge(statement, evidence, backend)
        for evidence in found
        for backend in evidence.backends
        if arm_label((backend, statement.gate, False)) in evidence.arms
    ]


def _judge(statement: Statement, evidence: Evidence, backend: str) -> Remeasured:
    assert statement.gate is not None
    gate = statement.gate
    other_work = _other_work(statement, evidence)
    integrated = _unless(other_work, _rerun(statement, evidence, evidence.slots, backend, gate))
    published = _by_published_protocol(statement, evidence, backend)
    treated = [s for s in evidence.slots if s.arm == arm_label((backend, gate, False))]
    return Remeasured(
        runs=evidence.runs,
        backend=backend,
        blocks=integrated.saving.blocks if integrated.saving else len({(s.run, s.block) for s in treated}),
        kind=treated[0].kind,
        boundary=treated[0].boundary,
        integrated=integrated,
        published=_unless(other_work, published) if isinstance(published, Rerun) else published,
        controls=tuple(
            (control, _rerun(statement, evidence, evidence.slots, backend, control))
            for control in statement.controls
            if arm_label((backend, control, False)) in evidence.arms
        ),
        agreement=_agreement(evidence, backend, gate),
        note=_other_models(statement, evidence),
    )


def _rerun(statement: Statement, evidence: Evidence, slots: Sequence[Slot], backend: str, gate: str) -> Rerun:
    """The verdict on one arm of a run; `statement` says over what, and against which figure."""
    treated, baseline = (arm_label((backend, name, False)) for name in (gate, evidence.baseline))
    if statement.amount == "tokens":
        return judge_tokens(statement.change_percent, tokens_saved(slots, treated=treated, baseline=baseline))
    again = arm_label((backend, evidence.baseline, True))
    per: Per = "new_token" if statement.amount == "energy_per_token" else "request"
    question = Question(
        treated=treated, baseline=baseline, repeat=again if again in evidence.arms else None, per=per
    )
    return judge_rerun(statement.change_percent, judge(slots, question))


def _by_published_protocol(statement: Statement, evidence: Evidence, backend: str) -> Rerun | Withheld | None:
    if statement.amount == "tokens" or statement.gate is None:
        return None
    if evidence.slots_after is None:
        return Withheld("a data set holds no raw readings: give the run folder")
    return _rerun(statement, evidence, evidence.slots_after, backend, statement.gate)


def _agreement(evidence: Evidence, backend: str, gate: str) -> Estimate | Withheld:
    if evidence.readback is None:
        return Withheld("a data set holds no tokens: give the run folder")
    return agreement_with(evidence.readback, (backend, gate, False), (backend, evidence.baseline, False))


def _other_work(statement: Statement, evidence: Evidence) -> str | None:
    """Why a run says nothing about the claim: other prompts, other lengths or another gate."""
    assert statement.suite is not None
    assert statement.gate is not None
    wanted, did = (asked.work(statement.gate) for asked in (asked_by_suite(statement.suite), evidence.asked))
    other = unlike(wanted, {name: did.get(name) for name in wanted})
    if not other:
        return None
    return f"the run is not of {statement.suite}, it differs in {'; '.join(map(str, other))}"


def _other_models(statement: Statement, evidence: Evidence) -> str | None:
    """Models need not be the claim's own, but which they are is said."""
    assert statement.suite is not None
    wanted, did = asked_by_suite(statement.suite).weights(), evidence.asked.weights()
    other = unlike(wanted, {name: did.get(name) for name in wanted})
    return f"on other models: {'; '.join(map(str, other))}" if other else None


def _unless(other_work: str | None, rerun: Rerun) -> Rerun:
    """The figures of other work stand, but they give no verdict on the claim."""
    return replace(rerun, verdict="not testable here", why=other_work) if other_work else rerun
