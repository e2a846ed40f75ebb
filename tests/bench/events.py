"""What a run tells a display, made up."""

from __future__ import annotations

from dataclasses import asdict

from bench.run.display.plain import Display
from bench.run.observed import Joules, SameLogits
from bench.run.records import RequestRecord, SlotRecord, VoidSlot
from bench.run.remaining import Remaining
from bench.suite.plan import PlannedSlot, make_arms, make_blocks


def joules(total_j: float | None = 60.0, *, kind: str = "simulated") -> Joules:
    rails = {"cpu": 40.0, "gpu": 20.0, "ane": None} if total_j else {}
    return Joules(
        total_j=total_j,
        bound_j=None if total_j is None else 0.5,
        rails_j=rails,
        readings=60,
        kind=kind,
        boundary="soc_cpu_gpu_ane",
        grade=0,
        grade_name=kind,
        grade_reasons=[],
        withheld=None if total_j else "the rail gpu is missing",
    )


def blocks(count: int = 2, *, gate: str = "norm_fraction") -> list[list[PlannedSlot]]:
    arms = make_arms(["torch"], ["ungated", gate], baseline="ungated", a_a=True)
    return make_blocks(arms, count=count, seed=1)


def slot_record(
    slot: PlannedSlot, *, energy: Joules | None = None, error: str | None = None
) -> SlotRecord | VoidSlot:
    place = {"session": 1, "block": slot.block, "position": slot.position, **asdict(slot.arm), "passes": 2}
    if error:
        return VoidSlot(**place, error=error)
    return SlotRecord(**place, start_s=100.0, end_s=112.0, joules=energy or joules())


def request(slot: PlannedSlot, *, number: int = 0, start_s: float = 0.0, end_s: float = 1.0) -> RequestRecord:
    return RequestRecord(
        session=1,
        block=slot.block,
        position=slot.position,
        pass_number=number // 6 + 1,
        backend=slot.arm.backend,
        gate=slot.arm.gate,
        a_a=slot.arm.a_a,
        prompt_id=f"prompt-{number % 6}",
        model="full",
        prompt_tokens=5,
        tokens=[1, 2, 3, 4],
        forwards=3,
        start_s=start_s,
        gated_s=start_s,
        prefilled_s=start_s,
        end_s=end_s,
    )


def tell(display: Display, *, slots: int = 4, gate: str = "norm_fraction", thermal: str = "Nominal") -> None:
    """A run of so many slots, up to the window of the last, which stays open."""
    display.stage("loading torch")
    display.note("simulated, as asked for")
    display.equal_work(
        SameLogits(
            model="full",
            backends=("torch", "mlx"),
            probe_tokens=16,
            same_ids=True,
            logit_difference=6e-5,
            apart=3e-6,
            tolerance=5e-3,
        )
    )
    display.stage("idle before the blocks, 20 s")
    display.idle_done(joules(), seconds_s=20.0, thermal=thermal)
    planned = blocks(gate=gate)
    remaining = Remaining(planned, idle_s=20.0, slot_least_s=61.0)
    *over, last = planned[0][:slots]
    for slot in over:
        display.slot_started(slot, remaining=remaining)
        display.window_opens()
        remaining.slot_took(slot, seconds_s=60.0 + slot.position)
        display.slot_done(slot_record(slot), [request(slot)], thermal=thermal)
    display.slot_started(last, remaining=remaining)
    display.window_opens()
