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
from analysis.contrast import judge
from analysis.published.every_claim import MODULI, record_claims
from analysis.rows import Slot
from analysis.values import Estimate, Withheld
from bench.report.names import arm_label
from bench.report.rows import agreement_with, held
from bench.report.verdicts import judge_arms
from bench.studies.claims.evidence import Evidence, gather
from bench.studies.claims.own_claims import AddedStatement, read_claims
from bench.studies.claims.repeated import Repeated, repeated
from bench.studies.claims.statements import COUNTED, Statement, choose
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
class JudgedClaim:
    """A row of the table of claims."""

    statement: Statement
    record: Claim
    remeasured: tuple[Remeasured, ...]
    repeated: tuple[Repeated, ...] = ()
    """What the published protocol says when it is carried out as it was."""
    resweeps: tuple[Resweep, ...] = ()
    """The same for claims about the strength of a cut, on sweeps."""


def reproduce(
    names: Sequence[str] = (), runs: Sequence[Path] = (), added: Sequence[Path] = ()
) -> list[JudgedClaim]:
    """Judge claims.

    Args:
        names: of claims, or the beginnings of their names; none means all.
        runs: run folders, or data sets of `bench collect`, on which claims are judged again.
        added: files with claims of the user's own.

    Raises:
        UserError: an unknown claim, not a run folder, or not a file of claims.
        EnergyError: a raw stream can't be read.
    """
    own = read_claims(added)
    judged, sweeps = judge_statements(choose(names, own), gather(runs)), read_sweeps(runs)
    return [replace(row, resweeps=resweeps(row.statement.name, sweeps)) for row in judged]


def judge_statements(chosen: Sequence[Statement], runs: Sequence[Evidence]) -> list[JudgedClaim]:
    """Judge these claims on evidence that was read already."""
    record = {claim.name: claim for claim in record_claims(tables())}
    record |= {s.name: s.claim for s in chosen if isinstance(s, AddedStatement)}
    return [
        JudgedClaim(
            statement=s,
            record=record[s.name],
            remeasured=_remeasured(s, record[s.name], runs),
            repeated=tuple(one for evidence in runs for one in repeated(s, evidence)),
        )
        for s in chosen
    ]


def tables() -> dict[int, dict[int, float]]:
    """lambda2 by modulus and residue, undefined residues left out."""
    by_modulus = {m: {n: connectivity(n, m) for n in range(m)} for m in MODULI}
    return {m: {n: x for n, x in values.items() if x is not None} for m, values in by_modulus.items()}


def _remeasured(statement: Statement, claim: Claim, runs: Sequence[Evidence]) -> tuple[Remeasured, ...]:
    if statement.gate is None:
        return ()
    return tuple(
        _judge(_Case(statement, claim.change_percent, evidence, backend))
        for evidence in runs
        if not evidence.as_published
        for backend in evidence.backends
        if arm_label((backend, statement.gate, False)) in evidence.arms
    )


@dataclass(frozen=True)
class _Case:
    """One claim on the runs of one machine and one backend."""

    statement: Statement
    change_percent: float | None
    """The published change; None where only a saving as such was claimed."""
    evidence: Evidence
    backend: str

    def rerun(self, slots: Sequence[Slot], gate: str) -> Rerun:
        """The verdict on one arm, over what the claim is about."""
        key, plain = (self.backend, gate, False), (self.backend, self.evidence.baseline, False)
        treated, baseline = (held(slots, one, self.evidence.baseline) for one in (key, plain))
        if self.statement.amount in COUNTED:
            saved = tokens_saved(slots, treated=treated.arm, baseline=baseline.arm)
            processed = self.statement.amount == "tokens_processed"
            return judge_tokens(self.change_percent, saved, processed=processed)
        per: Per = "new_token" if self.statement.amount == "energy_per_token" else "request"
        together = judge_arms(slots, self.evidence.keys, baseline=self.evidence.baseline, per=per)
        judgement = together.get(key) if key != plain else None
        return judge_rerun(self.change_percent, judgement or judge(treated, baseline, per=per))

    def by_published_protocol(self, gate: str) -> Rerun | Withheld | None:
        """The same with one reading after the work; None for tokens."""
        if self.statement.amount in COUNTED:
            return None
        if self.evidence.slots_after is None:
            return Withheld("a data set holds no raw readings: give the run folder")
        return self.rerun(self.evidence.slots_after, gate)

    def agreement(self, gate: str) -> Estimate | Withheld:
        """Share of new tokens that equal the ungated ones."""
        readback, baseline = self.evidence.readback, self.evidence.baseline
        if readback is None:
            return Withheld("a data set holds no tokens: give the run folder")
        return agreement_with(readback, (self.backend, gate, False), (self.backend, baseline, False))


def _judge(case: _Case) -> Remeasured:
    statement, evidence, gate = case.statement, case.evidence, case.statement.gate
    assert gate is not None
    other_work = _other_work(statement, evidence)
    integrated, published = case.rerun(evidence.slots, gate), case.by_published_protocol(gate)
    treated = [s for s in evidence.slots if s.arm == arm_label((case.backend, gate, False))]
    judgement = integrated.judgement
    return Remeasured(
        runs=evidence.runs,
        backend=case.backend,
        blocks=judgement.blocks if judgement else len({(s.run, s.block) for s in treated}),
        kind=treated[0].kind,
        boundary=treated[0].boundary,
        integrated=_unless(other_work, integrated),
        published=_unless(other_work, published) if isinstance(published, Rerun) else published,
        controls=tuple(
            (control, case.rerun(evidence.slots, control))
            for control in statement.controls
            if arm_label((case.backend, control, False)) in evidence.arms
        ),
        agreement=case.agreement(gate),
        note=_other_models(statement, evidence),
    )


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
