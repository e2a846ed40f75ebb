"""Runs beside each other: what is refused, by name, and what a ratio is shown with."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.effect import LogPair
from bench.errors import UserError
from bench.report.compare.figure import check, draw
from bench.report.compare.pairs import compare
from bench.report.compare.selectors import parts
from bench.report.compare.tables import show, to_json
from tests.bench.processes import bench
from tests.bench.runs import run_suite
from tests.bench.stored import stored_copy

MACHINE: dict[str, Any] = {
    **{"host__chip": "a chip", "host__gpu_cores": 8, "host__cpu_cores": 8, "host__memory_bytes": 2**34},
    **{"host__os_version": "15.5", "host__os_build": None, "host__power_source": None},
    **{"host__power_mode": None, "host__low_power_mode": None},
}


def copy_of(run: Path, into: Path, **changes: Any) -> Path:
    """As `stored_copy`, of the same machine whatever this one is."""
    return stored_copy(run, into, **{**MACHINE, **changes})


@pytest.fixture(scope="module")
def echo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose joules are those of the work alone; its windows have readings enough on a busy machine."""
    return run_suite(tmp_path_factory.mktemp("work"), energy__idle_w=0.01)


@pytest.fixture(scope="module")
def folder(echo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one` and `two` are runs of five blocks of one machine."""
    folder = tmp_path_factory.mktemp("compare")
    for name in ("one", "two"):
        copy_of(echo_run, folder / name, blocks=5)
    return folder


def shown(found: list[Any], *, whole: bool = False) -> str:
    console = Console(width=80, record=True, file=None, quiet=False)
    with console.capture() as capture:
        show(found, console, whole=whole)
    return capture.get()


UNLIKE: dict[str, tuple[dict[str, Any], str]] = {
    "chip": ({"host__chip": "Apple M4"}, "against Apple M4"),
    "GPU cores": ({"host__gpu_cores": 10}, "against 10"),
    "CPU cores": ({"host__cpu_cores": 77}, "against 77"),
    "memory": ({"host__memory_bytes": 2**36}, "against 64.0 GiB"),
    "OS version": ({"host__os_version": "26.1"}, "26.1"),
    "OS build": ({"host__os_build": "25B78"}, "unknown against 25B78"),
    "power source": ({"host__power_source": "battery"}, "against battery"),
    "power mode": ({"host__power_mode": "high"}, "against high"),
    "power mode of an older run": ({"host__low_power_mode": True}, "against low"),
    "prompt hash": ({"prompts__sha256": "f" * 64}, "against ffffffffffff"),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_each_unlike_condition_is_refused_by_name(
    what: str, folder: Path, echo_run: Path, tmp_path: Path
) -> None:
    changes, values = UNLIKE[what]
    other = copy_of(echo_run, tmp_path / "other", blocks=5, **changes)
    with pytest.raises(UserError, match="no ratio") as refused:
        compare([str(folder / "one"), str(other)])
    assert f"{what.removesuffix(' of an older run')} (" in str(refused.value)
    assert values in str(refused.value)
    assert "--anyway" in str(refused.value)


def other_source(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**record, "source": {**record["source"], **changes}} if record["type"] == "session" else record


def measured_header(run: Path, into: Path, **changes: Any) -> Path:
    """A copy whose stored raw stream says that it has another source."""
    made = copy_of(run, into, blocks=5, edit=lambda record: other_source(record, **changes))
    file = made / "power.index"
    first, _, rest = file.read_text().partition("\n")
    header = json.loads(first)
    header["source"] |= changes
    file.write_text(json.dumps(header) + "\n" + rest)
    return made


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"boundary": "package"}, ["boundary (modelled against package)"]),
        (
            {"kind": "measured"},
            ["energy kind (modelled against measured)", "grade (0 modelled against 1 "],
        ),
        ({"kind": "simulated"}, ["energy kind (modelled against simulated)"]),
        ({"details": {"idle_w": "3.0"}}, ["energy source (modelled"]),
    ],
)
def test_unlike_joules_are_refused_by_name(
    changes: dict[str, Any], names: list[str], folder: Path, echo_run: Path, tmp_path: Path
) -> None:
    other = measured_header(echo_run, tmp_path / "other", **changes)
    with pytest.raises(UserError) as refused:
        compare([str(folder / "one"), str(other)])
    for name in names:
        assert name in str(refused.value)
    (one,) = compare([f"{folder / 'one'}:echo/length", str(other)], anyway=True)
    assert not one.ratios


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("generated tokens per repeat (8 against 6)", {"tokens": [1, 2, 3]}),
        ("prompt tokens per repeat (37 against 18)", {"prompt_tokens": 9}),
    ],
)
def test_unlike_token_counts_are_refused_by_name(
    name: str, edit: dict[str, Any], folder: Path, echo_run: Path, tmp_path: Path
) -> None:
    def edited(record: dict[str, Any]) -> dict[str, Any]:
        return {**record, **edit} if record["type"] == "request" and record["gate"] == "length" else record

    other = copy_of(echo_run, tmp_path / "other", blocks=5, edit=edited)
    with pytest.raises(UserError) as refused:
        compare([str(folder / "one"), str(other)])
    assert f"{name} of echo length" in str(refused.value)
    assert "(echo alone would do: name the configuration as RUN:backend/gate)" in str(refused.value)
    assert len(compare([f"{folder / 'one'}:echo/ungated", str(other)])) == 1


def test_anyway_sets_machines_side_by_side_without_any_ratio(
    folder: Path, echo_run: Path, tmp_path: Path
) -> None:
    other = copy_of(echo_run, tmp_path / "m4", blocks=5, host__chip="Apple M4")
    found = compare([str(folder / "one"), str(other)], anyway=True)
    text = shown(found)
    assert "no ratio, because these are unlike" in text
    assert "chip: " in text
    assert "against Apple M4" in text
    assert "modelled, NOT a measurement" in text
    beside = text.partition("\n! ")[0]  # what follows is said of each run alone, such as its noise
    assert not re.search(r"[-+]\d[\d.]* ?%", beside), "a change in per cent, signed, is a ratio"
    assert "ratio (95 %)" not in text
    assert "has no ratio to" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for one in to_json(found)["comparisons"]:
        assert one["ratios"] is one["noise"] is one["token_match"] is one["verdict"] is None
        assert one["unlike"]
        assert one["second"]["gross_per_repeat_j"] > 0
    with pytest.raises(UserError, match="nothing to draw"):
        draw(found, tmp_path / "f.svg")


def test_two_like_runs_have_a_ratio_without_an_interval_and_with_everything_beside_it(folder: Path) -> None:
    found = compare([str(folder / "one"), str(folder / "two")])
    assert [one.second.label for one in found] == ["echo", "echo length"]
    for one in found:
        joules = one.ratios["gross_per_repeat_j"]
        assert isinstance(joules, LogPair)
        assert joules.blocks == (5, 5)
        assert not joules.paired
        assert joules.point == pytest.approx(1)
        assert joules.interval is None
        assert one.noise_floor is not None
        assert one.agreement is not None
        assert one.agreement.mean == 1
        assert one.verdict == "not estimated"
        assert not one.differs
    text = shown(found)
    for words in ("noise (A/A, 95 %)", "5 and 5 blocks", "token match: 100.0 %", "modelled"):
        assert words in text
    assert "known of neither run" in text
    assert text.startswith("Nothing is shown of echo of two against echo of one: ")
    assert "J per generated token" not in text
    for quantity in ("J per generated token", "J per total token", "decode tokens/s"):
        assert quantity in shown(found, whole=True)


def test_arms_of_one_run_are_paired(folder: Path) -> None:
    run = folder / "one"
    (one,) = compare([f"{run}:echo/ungated", f"{run}:echo/length"])
    joules = one.ratios["gross_per_repeat_j"]
    assert isinstance(joules, LogPair)
    assert joules.paired
    assert joules.log_ratio < 0
    assert [item.what for item in one.differs] == ["gate"]
    text = shown([one])
    assert "5 blocks of one run, paired" in text
    assert text.startswith("echo length saves joules against echo (-")
    assert to_json([one])["comparisons"][0]["answer"].split() == text.split("\n\n")[0].split()


def test_speed_is_the_inverse_of_time(folder: Path) -> None:
    run = folder / "one"
    (one,) = compare([f"{run}:echo/ungated", f"{run}:echo/length"])
    copy = replace(one.first, key=("echo", "ungated", True))
    for name in ("generated_tokens_per_s", "prefill_tokens_per_s", "decode_tokens_per_s"):
        speed = one.ratios[name]
        assert isinstance(speed, LogPair)
        first, again, second = (side.figures[name] for side in (one.first, copy, one.second))
        assert first is not None
        assert again is not None
        assert second is not None
        assert speed.point == pytest.approx(
            second / np.sqrt(first * again), rel=0.5
        )  # windows of a busy machine weigh otherwise


def test_too_few_blocks_have_figures_and_no_interval(folder: Path, echo_run: Path, tmp_path: Path) -> None:
    found = compare([str(folder / "one"), str(copy_of(echo_run, tmp_path / "short"))])
    joules = found[0].ratios["gross_per_repeat_j"]
    assert isinstance(joules, LogPair)
    assert joules.interval is None
    assert found[0].verdict == "not enough blocks"
    assert "1 whole block is not enough for a claim" in shown(found)


def as_backend(record: dict[str, Any]) -> dict[str, Any]:
    """The slots of one gate become those of another backend."""
    is_other = record.get("gate") == "length"
    return {**record, "backend": "other", "gate": "ungated"} if is_other else record


def test_backends_of_one_run_are_compared_gate_by_gate(echo_run: Path, tmp_path: Path) -> None:
    run = copy_of(echo_run, tmp_path / "run", blocks=5, edit=as_backend, backends=["echo", "other"])
    (one,) = compare([f"{run}:echo", f"{run}:other"])
    assert one.second.label == "other"
    joules = one.ratios["gross_per_repeat_j"]
    assert isinstance(joules, LogPair)
    assert joules.paired
    assert one.verdict == "not estimated"  # the other backend has no A/A arm
    assert "no A/A: what" in one.reason


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["{one}"], "name two"),
        (["{one}", "{one}"], "the same configuration"),
        (["{one}:ech", "{two}"], "did you mean 'echo'"),
        (["{one}:echo/lenght", "{two}"], "did you mean 'length'"),
        (["{one}", "/nowhere"], "is not a run folder"),
    ],
)
def test_what_can_not_be_compared_says_what_to_type(texts: list[str], message: str, folder: Path) -> None:
    places = {name: str(folder / name) for name in ("one", "two")}
    with pytest.raises(UserError, match=re.escape(message)):
        compare([text.format(**places) for text in texts])


def test_a_selector_may_have_colons_in_the_folder_and_slashes_in_the_gate(tmp_path: Path) -> None:
    run = tmp_path / "a:b"
    run.mkdir()
    (run / "run.json").touch()
    assert parts(str(run)) == (run, None, None)
    assert parts(f"{run}:torch") == (run, "torch", None)
    assert parts(f"{run}:torch/keep/0.5") == (run, "torch", "keep/0.5")


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_figure_is_one_file(suffix: str, folder: Path, tmp_path: Path) -> None:
    found = compare([str(folder / "one"), str(folder / "two")])
    file = tmp_path / f"forest.{suffix}"
    check(file)
    draw(found, file)
    assert [made.name for made in tmp_path.iterdir()] == [file.name]
    if suffix == "svg":
        assert "</svg>" in file.read_text(encoding="utf-8")
        assert "mathdefault" not in file.read_text(encoding="utf-8")
    with pytest.raises(UserError, match=r"use \.svg"):
        check(tmp_path / "forest.doc")


def test_the_command_prints_json_and_refuses_with_exit_code_2(
    folder: Path, echo_run: Path, tmp_path: Path
) -> None:
    done = bench("compare", "one:echo/length", "two", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["comparisons"]
    assert one["first"]["kind"] == "modelled"
    assert one["ratios"]["gross_per_repeat_j"]["interval"] is None
    assert one["is_measured"] is False
    copy_of(echo_run, tmp_path / "other", host__chip="Apple M4\x1b[31m")
    refused = bench("compare", str(folder / "one"), "other", cwd=tmp_path)
    assert refused.returncode == 2
    assert not refused.stdout
    assert "chip (" in refused.stderr
    assert "\x1b" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
