"""Checks that a run stands by itself; nothing that it says is believed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from analysis.roofline import apple_bandwidth
from analysis.words import counted, listed
from bench.report.dataset.rows import Row
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.slots import SlotRead
from bench.run.records import ArmKey, IdleRecord, SelfTestRecord, SlotRecord
from energy.base import Fault, Trace
from energy.selftest import IDLE, Finding

_WRONG = ("duplicated reading", "overlap", "out of order")
"""Faults of a stream that no meter makes: a time is told more than once, or a label contradicts the clock."""
_EXPLAINED = ("machine slept", "meter died")
"""Faults beside which time may be missing."""
_MISSING = 0.01
"""Share of a stream that may be missing."""
_CLOCK_S = 1e-3
"""Instants that two processes have read one after the other may seem to be so much the wrong way round."""
_EDGE_S, _EDGE_GAPS = 0.25, 5
"""From the edge of a window to its first or last request: at most so long, or so many times as long as
between two of its requests."""
_RISE_W, _RISE_SHARE = 0.05, 0.02
"""By how much the rise of a rail may differ from the one that was told: readings that came later place all
of them a little better."""


@dataclass(frozen=True, kw_only=True)
class CheckFailed:
    """A check that a run does not stand."""

    check: str
    found: str

    def __str__(self) -> str:
        return f"{self.check}: {self.found}"


def doubts_of(readback: Readback, rows: Sequence[Row]) -> Iterator[CheckFailed]:
    """Checks of one run by itself; `rows` are those computed from it."""
    for session, sources in readback.sources.items():
        yield from _time(sources.lead.trace, session)
        yield from _windows(readback, session)
        if sources.lead.info.kind != "modelled":
            yield from _self_test(readback, session)
    yield from _blocks(readback)
    for slot in readback.slots:
        yield from _work(readback, slot)
    yield from _answers(readback)
    alone = {row["backend"] for row in rows} - {row["backend"] for row in rows if row["a_a"]}
    if alone:
        yield CheckFailed(check="A/A", found=f"{listed(sorted(alone))} was not held against itself")
    yield from _bandwidth(rows)


def _time(trace: Trace, session: int) -> Iterator[CheckFailed]:
    span_s = float(trace.end_s[-1] - trace.start_s[0]) if len(trace.end_s) else 0.0
    if not span_s:
        yield CheckFailed(check="time", found=f"session {session} has no reading")
        return
    wrong = Counter(fault.kind for fault in trace.faults if fault.kind in _WRONG)
    for kind, count in sorted(wrong.items()):
        yield CheckFailed(check="time", found=f"session {session}: {kind}, {counted(count, 'time')}")
    gaps = [fault for fault in trace.faults if fault.kind == "gap"]
    reasons = [fault for fault in trace.faults if fault.kind in _EXPLAINED]
    for gap in gaps:
        if not any(_touch(gap, reason) for reason in reasons):
            yield CheckFailed(check="time", found=f"session {session}: {gap.detail}, and nothing says why")
            break
    share = sum(gap.end_s - gap.start_s for gap in gaps) / span_s
    if share > _MISSING:
        found = f"{100 * share:.2g} % of session {session} is missing (at most {100 * _MISSING:g} %)"
        yield CheckFailed(check="time", found=found)


def _touch(one: Fault, other: Fault) -> bool:
    return one.start_s <= other.end_s and other.start_s <= one.end_s


def _windows(readback: Readback, session: int) -> Iterator[CheckFailed]:
    """Windows lie one after the other."""
    run = readback.run
    records: list[SlotRecord | IdleRecord | SelfTestRecord]
    records = [*run.of(SlotRecord), *run.of(IdleRecord), *run.of(SelfTestRecord)]
    spans = [(record.start_s, record.end_s) for record in records if record.session == session]
    if not _in_order(spans):
        found = f"session {session} has windows that overlap, or end before they begin"
        yield CheckFailed(check="windows", found=found)


def _in_order(spans: Iterable[tuple[float, float]]) -> bool:
    """Whether spans of time last, and lie one after the other."""
    ordered = sorted(spans)
    apart = all(before[1] <= after[0] + _CLOCK_S for before, after in pairwise(ordered))
    return apart and all(end_s > start_s for start_s, end_s in ordered)


def _self_test(readback: Readback, session: int) -> Iterator[CheckFailed]:
    tests = [test for test in readback.run.of(SelfTestRecord) if test.session == session]
    if not tests:
        yield CheckFailed(check="self-test", found=f"session {session} had none")
        return
    (test, *more), meant = tests, readback.self_tests[session]
    if not meant.passed:
        yield CheckFailed(check="self-test", found=meant.reason)
    windows = test.windows or {}
    inside = all(test.start_s - _CLOCK_S <= a and b <= test.end_s + _CLOCK_S for a, b in windows.values())
    if IDLE not in windows:
        found = f"session {session} does not say when its loads ran, so nothing of it can be computed anew"
        yield CheckFailed(check="self-test", found=found)
    elif more or not inside or not _in_order(windows.values()):
        yield CheckFailed(check="self-test", found=f"session {session}: its loads can't have run as it says")
    else:
        yield from _findings(test.findings, readback.findings[session])


def _findings(told: Sequence[Finding], computed: Sequence[Finding]) -> Iterator[CheckFailed]:
    """Where a self-test says something else than the readings."""
    by_place = {(one.load, one.rail): one for one in told}
    if len(told) != len(computed) or by_place.keys() != {(one.load, one.rail) for one in computed}:
        yield CheckFailed(check="self-test", found="it tells of other loads or rails than its readings")
        return
    for one in computed:
        said = by_place[one.load, one.rail]
        if one.passed != said.passed or not _same_rise(said.rise_w, one.rise_w):
            yield CheckFailed(check="self-test", found=f"it says that {said}; the readings, that {one}")


def _same_rise(told_w: float | None, computed_w: float | None) -> bool:
    if told_w is None or computed_w is None:
        return told_w is computed_w
    return abs(told_w - computed_w) <= _RISE_W + _RISE_SHARE * abs(computed_w)


def _blocks(readback: Readback) -> Iterator[CheckFailed]:
    """A whole block has every window that was planned, and no block is left out between others."""
    run = readback.run
    whole = sorted(run.finished_blocks)
    if whole and whole != list(range(1, len(whole) + 1)):
        missing = sorted(set(range(1, whole[-1] + 1)) - set(whole))
        yield CheckFailed(check="blocks", found=f"block {missing[0]} is not there, but block {whole[-1]} is")
    places: dict[int, list[tuple[int, ArmKey]]] = defaultdict(list)
    for record in (*(slot.record for slot in readback.slots), *readback.void):
        places[record.block].append((record.position, record.arm))
    twice = 1 if run.header.overrides.as_published else 2
    for block in whole:
        positions = sorted(position for position, _ in places[block])
        held = Counter(arm for _, arm in places[block])
        odd = [arm for arm, count in held.items() if count != twice]
        if odd or positions != list(range(1, len(positions) + 1)):
            which = f": {arm_label(odd[0])} was held {counted(held[odd[0]], 'time')}" if odd else ""
            yield CheckFailed(check="blocks", found=f"block {block} lacks a window, or has one twice{which}")


def _work(readback: Readback, slot: SlotRead) -> Iterator[CheckFailed]:
    """The requests of a window are whole passes over the prompts, and fill it."""
    record, answers = slot.record, slot.answers
    where = f"{arm_label(record.arm)} in block {record.block}"
    if [request.prompt_id for request in answers] != readback.run.header.prompts.ids * record.passes:
        found = f"{where}: its requests are not {record.passes} times the prompts"
        yield CheckFailed(check="windows", found=found)
        return
    instants = [record.start_s]
    for request in answers:
        instants += [request.start_s, request.gated_s, request.prefilled_s, request.end_s]
    instants.append(record.end_s)
    gaps_s = [after - before for before, after in pairwise(instants)]
    if min(gaps_s) < -_CLOCK_S:
        yield CheckFailed(check="windows", found=f"{where}: its requests don't lie within it")
        return
    most_s = max(_EDGE_S, _EDGE_GAPS * max(gaps_s[4:-1:4], default=0.0))
    for gap_s in (gaps_s[0], gaps_s[-1]):
        if gap_s > most_s:
            found = f"{where}: {gap_s:.2g} s of it lie outside its requests"
            yield CheckFailed(check="windows", found=found)


def _answers(readback: Readback) -> Iterator[CheckFailed]:
    """One prompt under one configuration has answers of one length."""
    lengths: dict[tuple[ArmKey, str], set[int]] = defaultdict(set)
    for slot in readback.slots:
        for request in slot.answers:
            if not request.served:
                lengths[slot.record.arm, request.prompt_id].add(len(request.tokens))
    for (arm, prompt), found in lengths.items():
        if len(found) > 1:
            tokens = listed(sorted(map(str, found)))
            said = f"{arm_label(arm)} answers {prompt} with {tokens} tokens"
            yield CheckFailed(check="answers", found=said)


def _bandwidth(rows: Sequence[Row]) -> Iterator[CheckFailed]:
    most = apple_bandwidth(rows[0]["chip"] or "", rows[0]["gpu_cores"])
    for row in rows:
        reads = row["decode_bytes_per_s"]
        if most is not None and reads is not None and reads > most:
            found = f"{row['configuration']} reads {reads / 1e9:.4g} GB/s, the memory of {row['chip']} gives "
            yield CheckFailed(check="bandwidth", found=f"{found}{most / 1e9:g}")
