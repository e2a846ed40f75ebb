"""What could overturn a run's numbers, as values: each is put into words once, where it is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.checks import Caution, check_judgements, check_slots
from analysis.looks import level_of_run, looks_of, spent
from analysis.quality import first_divergence, mean_agreement
from analysis.rows import Slot
from analysis.values import NOT_ESTIMATED
from analysis.verdict import INACTIVE, Judgement
from analysis.words import counted, listed
from backends.base import BackendInfo
from backends.cut import Cut
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.slots import tokens_of
from bench.run.observed import NOT_SHOWN
from bench.run.records import ArmKey, EventRecord, SessionRecord
from bench.show.words import short_percent

if TYPE_CHECKING:
    from bench.report.arm_row import ArmRow


def cautions(
    readback: Readback,
    slots: Sequence[Slot],
    *,
    judged: Mapping[ArmKey, Judgement],
    rows: Sequence[ArmRow],
) -> list[Caution]:
    """Everything that a reader of the tables has to know, what weighs most first.

    Args:
        readback: what of the run counts.
        slots: its rows.
        judged: the judgement on each arm that has one.
        rows: of the tables.
    """
    by_backend: dict[str, list[Judgement]] = defaultdict(list)
    for (backend, gate, a_a), judgement in judged.items():
        if a_a or gate != readback.baseline:  # of two backends neither's noise is the other's
            by_backend[backend].append(judgement)
    return [
        *_about_the_meter(readback),
        *_about_the_battery(readback),
        *_about_blocks(readback),
        *_about_void_windows(readback),
        *_about_looks(readback),
        *check_slots(slots),
        *check_judgements(by_backend),
        *_about_joules(readback, rows),
        *_about_ranks(readback),
        *_about_batches(readback),
        *_about_prompt_caches(rows),
        *_about_servers(readback),
        *_about_stored_caches(readback),
        *_about_equal_work(readback),
        *_about_parted_answers(readback),
        *_about_events(readback),
    ]


def _about_the_meter(readback: Readback) -> Iterator[Caution]:
    """A failed self-test, and what follows from it."""
    said = set()
    for session, tested in readback.self_tests.items():
        if tested.passed:
            continue
        silent = [rail for rail in readback.sources[session].lead.info.rails if rail in tested.silent]
        consequence = (
            f"joules of {', '.join(silent)} are not estimated, totals neither, and no configuration is judged"
            if silent
            else "its joules are kept and graded 1"
        )
        words = f"the self-test of the meter failed, so {consequence}: {tested.reason}"
        if words not in said:
            yield Caution(code="self-test failed", subject=f"session {session}", said=words)
        said.add(words)


def _about_the_battery(readback: Readback) -> Iterator[Caution]:
    """A wall meter has in its joules what a battery takes while it charges."""
    at_the_wall = {number for number, own in readback.sources.items() if own.lead.info.boundary == "wall"}
    ran = [slot.record for slot in readback.slots]
    charging = [s for s in ran if s.session in at_the_wall and s.power and s.power.charging]
    if charging:
        seen = f"the battery charged in {len(charging)} of {counted(len(ran), 'window')}"
        words = f"{seen}: the wall meter's joules have that in them; charge it fully, then run again"
        yield Caution(code="battery charging", subject="run", value=len(charging), said=words)


def _about_blocks(readback: Readback) -> Iterator[Caution]:
    if not readback.whole_blocks:
        words = "no block is whole: these are the windows there are, and nothing may be compared"
        yield Caution(code="no whole block", subject="run", said=words)
    elif readback.cut_blocks:
        words = f"{counted(readback.cut_blocks, 'block')} cut short, and left out"
        yield Caution(code="cut short", subject="run", value=readback.cut_blocks, said=words)


def _about_void_windows(readback: Readback) -> Iterator[Caution]:
    """Windows that count for nothing, and why."""
    if readback.void:
        errors = list(dict.fromkeys(slot.error for slot in readback.void))
        more = [f"{len(errors) - 2} more reasons"] if len(errors) > 2 else []
        all_windows = len(readback.void) + len(readback.slots)
        words = (
            f"{len(readback.void)} of {counted(all_windows, 'window')} void: {listed([*errors[:2], *more])}"
        )
        yield Caution(code="void", subject="run", value=len(readback.void), said=words)


def _about_looks(readback: Readback) -> Iterator[Caution]:
    """What several looks at a run cost."""
    header, finished = readback.run.header, readback.run.finished_blocks
    looks = looks_of(header.looks, finished)
    if len(looks) < 2:
        return
    level = level_of_run(header.looks, finished)
    words = (
        f"looked at after {listed([str(look) for look in looks])} blocks, of which "
        f"{len(spent(looks, len(finished)))} are spent: each interval here is one of {100 * level:.1f} %, "
        "so that all looks together err in 5 % of runs"
    )
    if unplanned := [str(look) for look in looks if look not in header.looks]:
        words += f"; not declared before the run: {listed(unplanned)}"
    yield Caution(code="looks", subject="run", value=len(looks), said=words)


def _about_joules(readback: Readback, rows: Sequence[ArmRow]) -> Iterator[Caution]:
    for reason in readback.why_withheld:
        yield Caution(code="joules not estimated", subject="run", said=f"joules not estimated: {reason}")
    unsaid = {(row.backend, str(row.reason)) for row in rows if row.verdict == NOT_ESTIMATED}
    for backend, why in sorted(unsaid):
        yield Caution(code="verdict not estimated", subject=backend, is_named=True, said=why)
    for row in rows:
        if row.verdict == "inconclusive":
            words = f"{row.verdict}, {row.reason}"
            yield Caution(code=row.verdict, subject=row.label, is_named=True, said=words)
    for row in rows:
        if row.verdict == INACTIVE:
            words = f"{INACTIVE}, {row.reason}"
            yield Caution(code=INACTIVE, subject=row.label, is_named=True, said=words)
    split = {slot.record.backend for slot in readback.slots if slot.record.ranks}
    alone = [row for row in rows if row.backend not in split]
    if any(row.gross_per_repeat_j is not None and row.net_per_repeat_j is None for row in alone):
        judged = readback.idle.judged
        why = "no joules are left above idle" if judged.stable else judged.reason
        yield Caution(code="net not estimated", subject="run", said=f"net joules not estimated: {why}")


def _about_ranks(readback: Readback) -> Iterator[Caution]:
    """What several ranks draw together, and what of it no meter sees."""
    windows = {slot.record.backend: slot.record.ranks for slot in readback.slots if slot.record.ranks}
    for backend, ranks in windows.items():
        skew_ms = 1e3 * max(rank.skew_s for rank in ranks)
        words = (
            f"joules are the sum of {1 + len(ranks)} ranks, each by a meter of its own, idle or not; "
            "switches, docks and cables between them are in no sum. Their windows lie within "
            f"{skew_ms:.2g} ms, which the bound has in it. Net joules are not estimated"
        )
        yield Caution(code="ranks", subject=backend, value=1 + len(ranks), is_named=True, said=words)


def _about_batches(readback: Readback) -> Iterator[Caution]:
    """Rows of a batch are copies of one prompt, and should say the same."""
    unlike: dict[str, int] = defaultdict(int)
    for slot in readback.slots:
        unlike[slot.arm] += sum(request.unlike_rows for request in slot.answers)
    for arm, rows in unlike.items():
        if rows:
            words = f"{counted(rows, 'row')} of a batch answered otherwise than the first, of one prompt"
            yield Caution(code="unlike rows", subject=arm, value=rows, is_named=True, said=words)


def _about_prompt_caches(rows: Sequence[ArmRow]) -> Iterator[Caution]:
    """What was computed before the first window has its joules in none."""
    for row in rows:
        if cached := row.cached_tokens_per_repeat:
            fed = row.prompt_tokens_per_repeat
            words = (
                f"{cached:.0f} of {cached + fed:.0f} prompt tokens come from a prompt cache: they "
                "were computed once, and what that took is in no window"
            )
            yield Caution(code="prompt cache", subject=row.label, value=cached, is_named=True, said=words)


def _about_servers(readback: Readback) -> Iterator[Caution]:
    """What a server runs can't be looked into."""
    said: dict[str, Caution] = {}
    for session in readback.run.of(SessionRecord):
        for name, info in session.loaded.items():
            if info.served is not None:
                ends = "; it knows no ignore_eos, so an answer may be shorter than asked for"
                words = (
                    f"served: {NOT_SHOWN}. {info.served.url} counts its own tokens, and its stream was held "
                    f"against them; what it computes for them is not seen{_cached(info)}"
                    f"{'' if info.settings.get('ignore_eos', 1) else ends}"
                )
                said[name] = Caution(code="served", subject=name, is_named=True, said=words)
    yield from said.values()


def _cached(info: BackendInfo) -> str:
    return "; it may take prompts from its cache" if info.settings.get("prompt_cache") else ""


def _about_stored_caches(readback: Readback) -> Iterator[Caution]:
    """A cache in few bits that is not read so."""
    loaded = [session.loaded.items() for session in readback.run.of(SessionRecord)]
    casting = {name.partition("/")[0] for one in loaded for name, info in one if info.casts_cache}
    for arm in dict.fromkeys(slot.arm for slot in readback.slots if slot.record.backend in casting):
        answers = [r for slot in readback.slots if slot.arm == arm for r in slot.answers]
        if any(Cut.model_validate(request.cut or {}).cache_bits for request in answers):
            words = (
                "its cache is held in few bits and cast before every use: that saves memory, and no reading"
            )
            yield Caution(code="stored only", subject=arm, is_named=True, said=words)


def _about_equal_work(readback: Readback) -> Iterator[Caution]:
    """Where one of two backends gives no logits, ids and forwards are all that is shown."""
    said: dict[str, Caution] = {}
    for session in readback.run.of(SessionRecord):
        for pair in session.equal_work:
            if pair.logit_difference is None:
                kinds = [
                    f"{name} runs {session.loaded[f'{name}/{pair.model}'].dtype}" for name in pair.backends
                ]
                words = (
                    f"{' and '.join(pair.backends)} got the same token ids of {pair.model}, but one gives no "
                    f"logits to compare ({', '.join(kinds)}): ids and counted forwards show equal work, and "
                    "the token match says whether they answer alike"
                )
                said[words] = Caution(code="logits not compared", subject=pair.model, said=words)
    yield from said.values()


def _about_parted_answers(readback: Readback) -> Iterator[Caution]:
    """Where two backends that ran the same model on the same prompts say different tokens."""
    for arm in (arm for arm in readback.arms if not arm[2]):
        first = next(other for other in readback.arms if other[1:] == arm[1:])
        mine, theirs = readback.answers(arm), readback.answers(first)
        same = [
            prompt for prompt in mine.keys() & theirs.keys() if mine[prompt].model == theirs[prompt].model
        ]
        ours, others = (tokens_of({prompt: each[prompt] for prompt in same}) for each in (mine, theirs))
        parts = [first_divergence(ours[prompt], others[prompt]) for prompt in ours.keys() & others.keys()]
        parted, match = [at for at in parts if at is not None], mean_agreement(ours, others)
        if parted and match is not None:
            words = (
                f"parts from {arm_label(first)} in {len(parted)} of {counted(len(parts), 'answer')}, first "
                f"at generated token {1 + min(parted)} (token match {short_percent(100 * match.mean)}): the "
                "same model and prompts, other texts"
            )
            yield Caution(
                code="answers part", subject=arm_label(arm), value=len(parted), is_named=True, said=words
            )


def _about_events(readback: Readback) -> Iterator[Caution]:
    for event in readback.run.of(EventRecord):
        if event.kind != "finished":
            words = f"{event.kind}: {event.detail}"
            yield Caution(code=event.kind, subject="run", said=words)
