"""The shape of what `bench export` writes: one model per table, and their JSON Schema.

The same rows go into CSV, Parquet and JSON. In CSV an empty cell is null, true and false are words, and a
text that a spreadsheet would run as a formula has an apostrophe before it.

Schema history (`SCHEMA_VERSION` is on every row)
    1   first
    2   the words of the report: configuration, window, repeat, generated tokens, token match, noise; what
        can't be given is `not estimated`
"""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from bench.report.arm_row import ArmRow, Count, Number, Words

SCHEMA_VERSION = 2


class _Row(BaseModel):
    """What every row says of where it comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2] = Field(description="Version of this schema.")
    run: str = Field(description="Name of the run, unique.")
    suite: str = Field(description="Name of the suite.")
    backend: str = Field(description="Library that ran the model: torch, mlx, echo.")
    gate: str = Field(description="Label of the gate in the suite.")
    a_a: bool = Field(description="True for the second copy of the baseline, which shows the noise.")
    configuration: str = Field(description="Backend and gate, as tables and figures name it.")


class RequestRow(_Row):
    """One prompt under one configuration. It has no joules: they are attributed to windows."""

    session: int = Field(description="Start of the run, 1, or of its n-th resumption.")
    block: int = Field(description="Block, from 1; the unit of statistics.")
    position: int = Field(description="Window within the block, from 1.")
    repeat: int = Field(description="Repeat of the prompts within the window, from 1.")
    prompt_id: str = Field(description="Id of the prompt in its set.")
    model: Words = Field(description="Key of the model that the gate chose; null if the request failed.")
    prompt_tokens: Count = Field(description="Tokens of the prompt.")
    cached_tokens: Count = Field(description="Of these, taken from the prompt cache and not fed.")
    generated_tokens: Count = Field(description="Tokens of the answer; null if the request failed.")
    batch: Count = Field(
        description="Equal requests that ran at a time: prompt_tokens and generated_tokens are of each, "
        "forwards, seconds, bytes and operations of all; null if the request failed."
    )
    forwards: Count = Field(description="Decode forwards: one less than generated tokens, without tricks.")
    start_s: Number = Field(
        description="Start in seconds of the harness clock, of which only differences count."
    )
    gate_s: Number = Field(description="Seconds that the gate took.")
    prefill_s: Number = Field(description="Seconds of the prefill.")
    decode_s: Number = Field(description="Seconds of the decoding.")
    prefill_bytes: Count = Field(description="Bytes that must be read, counted from shapes; not measured.")
    decode_bytes: Count = Field(description="The same for the decoding.")
    prefill_flops: Count = Field(description="Operations counted from shapes; a multiply-add counts as two.")
    decode_flops: Count = Field(description="The same for the decoding.")
    cut: str = Field(description="What was left out, as JSON; {} for nothing.")
    text: Words = Field(description="What the model answered. It is not to be trusted.")
    error: Words = Field(description="Why the request failed; null if it did not.")


class WindowRow(_Row):
    """One configuration held for whole repeats of the prompts: what joules are attributed to."""

    session: int = Field(description="Start of the run, 1, or of its n-th resumption.")
    block: int = Field(description="Block, from 1; the unit of statistics.")
    position: int = Field(description="Window within the block, from 1.")
    repeats: int = Field(description="Repeats of the prompts.")
    requests: int = Field(description="Requests in the window, those of a batch counted one by one.")
    prompt_tokens: Count = Field(description="Tokens of all prompts that were fed; null for a void window.")
    generated_tokens: Count = Field(description="Tokens of all answers; null for a void window.")
    forwards: Count = Field(description="Decode forwards; null for a void window.")
    start_s: Number = Field(description="Start of the window, seconds of the harness clock.")
    seconds_s: Number = Field(description="Length of the window in seconds.")
    kind: Words = Field(description="measured; or modelled, simulated, replayed: not a measurement.")
    boundary: Words = Field(description="What the joules cover; never compare two boundaries.")
    grade: Count = Field(description="How far the joules can be trusted: 0 not measured to 4 external meter.")
    grade_name: Words = Field(description="The grade in a word.")
    grade_reasons: Words = Field(description="What keeps the grade from being higher, parted by semicolons.")
    gross_j: Number = Field(description="Joules of the window over the boundary; null if not estimated.")
    bound_j: Number = Field(description="How far gross_j can be off in attribution if the source is right.")
    net_j: Number = Field(description="Joules above idle; null if idle was unstable or nothing is left.")
    cpu_j: Number = Field(description="Joules of the CPU rail; null if not metered.")
    gpu_j: Number = Field(description="Joules of the GPU rail.")
    ane_j: Number = Field(description="Joules of the neural engine's rail.")
    dram_j: Number = Field(description="Joules of the memory rail.")
    package_j: Number = Field(description="Joules of the package rail.")
    system_j: Number = Field(description="Joules of the whole machine.")
    readings: Count = Field(description="Readings of the meter that overlap the window.")
    not_estimated: Words = Field(description="Why there are no joules; null if there are.")
    thermal: Words = Field(description="Worst thermal pressure in the window, in the meter's word.")
    error: Words = Field(description="Why the window is void; null if it counts.")


def _column(kind: Any) -> Any:
    """Type and words of a column of configurations; reasons are one text, and a number may be unknown."""
    own, words = get_args(kind)
    return {float: Number, tuple[str, ...]: str}.get(own, own), Field(description=words)


ConfigurationRow = create_model(
    "ConfigurationRow",
    __base__=_Row,
    __doc__="One backend with one gate over a whole run; amounts are per repeat of the prompts.",
    **{
        name: _column(kind)
        for name, kind in get_type_hints(ArmRow, include_extras=True).items()
        if name not in _Row.model_fields
    },
)


class Export(BaseModel):
    """All tables of an export, as its JSON form holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[2] = Field(description="Version of this schema.")
    requests: list[RequestRow] = Field(description="One row per request.")
    windows: list[WindowRow] = Field(description="One row per window.")
    configurations: list[ConfigurationRow] = Field(  # type: ignore[valid-type]
        description="One row per run and configuration."
    )


TABLES: dict[str, type[_Row]] = {
    "requests": RequestRow,
    "windows": WindowRow,
    "configurations": ConfigurationRow,
}
"""Name of the table -> model of its rows."""


def json_schema() -> dict[str, Any]:
    """JSON Schema of `Export`; the rows of a table are under `$defs` by the names of their models."""
    schema = Export.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """The schema as it is committed and written beside an export."""
    return json.dumps(json_schema(), indent=2) + "\n"
