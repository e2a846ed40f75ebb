"""A run that was given minutes: what is sized, stored and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from bench.cli.models_asked import understood
from bench.errors import UserError
from bench.run import minutes as minutes_module
from bench.run import start, store
from bench.run.minutes import Minutes, sentence
from bench.run.records import RequestRecord, SizedRecord, SlotRecord
from bench.suite.asked import asked_of_run
from bench.suite.config import Protocol
from bench.suite.header import Overrides
from bench.suite.plan import Arm
from bench.suite.sizing import BLOCKS, DEFAULT_MINUTES, NEW_TOKENS, FirstPass
from tests.bench.at_hand import quick
from tests.bench.processes import bench
from tests.bench.suites import write_suite

UNSIZED: dict[str, Any] = {
    "protocol__blocks": None,
    "protocol__min_window_s": None,
    "generation": {},
    "backend_options": {"echo": {"cpu_s_per_token": 0.0005}},
    "gates": {"ungated": {}},
    "protocol__a_a": False,
}


def test_a_run_is_sized_by_its_first_pass_and_stores_what_was_chosen(tmp_path: Path) -> None:
    write_suite(tmp_path, protocol__minutes=0.15, **UNSIZED)
    done = quick("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    run = store.read(folder)
    first, last = run.of(SizedRecord)[0], run.of(SizedRecord)[-1]
    assert sentence(first) in done.stdout
    assert (first.minutes, first.done, list(first.first_pass_s)) == (0.15, 0, ["echo"])
    assert len(run.finished_blocks) == last.blocks >= BLOCKS[-1]
    assert all(slot.seconds_s >= first.window_s for slot in run.of(SlotRecord))
    assert {len(request.tokens) for request in run.of(RequestRecord)} == {first.new_tokens}
    assert run.header.looks == []
    with pytest.raises(UserError, match="nothing to resume"):
        start.prepared_again(folder)
    more, _ = start.prepared_again(folder, blocks=last.blocks + 2)
    assert len(more.blocks) == last.blocks + 2
    assert more.suite.protocol.min_window_s == first.window_s
    assert more.suite.generation.max_new_tokens == first.new_tokens
    assert more.suite.protocol.minutes is None


def test_too_few_minutes_are_refused_after_the_first_pass_with_those_it_takes(tmp_path: Path) -> None:
    write_suite(tmp_path, protocol__minutes=0.01, **UNSIZED)
    done = quick("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "0.01 min are too few" in done.stderr
    assert "give --minutes 1 (in a suite: minutes = 1)" in done.stderr
    assert not (tmp_path / "results").exists()


def test_where_no_block_of_all_prompts_fits_the_first_ones_are_measured_and_it_is_said(
    tmp_path: Path,
) -> None:
    lines = "".join(f"Prompt {number} of the set.\n" for number in range(40))
    (tmp_path / "many.txt").write_text(lines)
    slow = {"backend_options": {"echo": {"cpu_s_per_token": 0.02}}, "prompts": {"file": "many.txt"}}
    write_suite(tmp_path, protocol__minutes=0.12, **UNSIZED | slow)
    done = quick("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    run = store.read(folder)
    sized = run.of(SizedRecord)[-1]
    assert sized.prompts is not None
    assert 1 <= sized.prompts < 40 == sized.in_set
    assert f"the first {sized.prompts} of 40 prompts, 1 block" in done.stdout
    assert f", {sized.prompts} of 40 prompts" in done.stdout
    answered = [request.prompt_id for request in run.of(RequestRecord)]
    assert set(answered) == set(run.header.prompts.ids)
    assert len(run.prompts) == 40
    assert asked_of_run(run.header).prompts.count == len(set(answered)) == sized.prompts
    more, _ = start.prepared_again(folder, blocks=2)
    assert [prompt.id for prompt in more.prompts.prompts] == run.header.prompts.ids


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol__minutes": 3}, "decides what blocks says too"),
        ({"protocol__minutes": 3, "protocol__blocks": None}, "decides what min_window_s says too"),
        ({"protocol__minutes": -1}, "protocol.minutes = -1"),
    ],
)
def test_a_suite_that_says_it_twice_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write_suite(tmp_path, **changes)
    done = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["echo", "--minutes", "3", "--blocks", "2"], "--blocks 2 too"),
        (["quick", "--minutes", "3"], "goes with models"),
        (["echo", "--minutes", "0"], "--minutes"),
    ],
)
def test_options_that_contradict_minutes_are_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = bench("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_models_get_the_usual_minutes_unless_blocks_are_asked_for() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("prompts", "pp", "tg", "dtype", "batches", "chunk"))
    for minutes, blocks, found in [(None, None, DEFAULT_MINUTES), (7.0, None, 7.0), (None, 4, None)]:
        _, asked = understood(["echo"], Overrides(blocks=blocks), minutes=minutes, urls=None, **nothing)
        assert asked is not None
        assert asked.minutes == found


def test_the_saved_suite_does_the_same(tmp_path: Path) -> None:
    """Minutes are in it; answers are sized unless their length is asked for."""
    for more, new_tokens in [((), NEW_TOKENS), (("--tg", "5"), ())]:
        done = bench("run", "echo", "--minutes", "4", *more, "--save-suite", "my.toml", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found, _ = start.prepared(str(tmp_path / "my.toml"), energy=None, backends=None, blocks=None)
        assert (found.suite.protocol.minutes, found.new_tokens) == (4, new_tokens)
        (tmp_path / "my.toml").unlink()
    plan = bench("run", "echo", "--minutes", "4", "--dry-run", cwd=tmp_path)
    assert "4 min: a first repeat tells" in plan.stdout


def test_a_block_is_priced_with_the_idle_measurement_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 min, 40 s are gone before the blocks; two blocks and an idle of 20 s then take 220 s."""
    now_s = 1000.0
    monkeypatch.setattr(minutes_module.time, "perf_counter", lambda: now_s)
    minutes = Minutes(10, before_s=0.0)
    first = FirstPass(fixed_s=(1.0,), token_s=(0.1,), gap_s=1.0)
    arm = Arm(backend="echo", gate="ungated")
    prepared = MagicMock(arms=[arm], new_tokens=(8,))
    prepared.prompts.prompts = ["prompt"]
    prepared.suite.generation.max_new_tokens = 8
    protocol = Protocol(idle_s=20)
    now_s += 40
    sized = minutes.divide({arm.label: first}, prepared, protocol, session=1, reading_s=0.1, room=None)
    assert sized.run_s <= 600
    now_s += 220
    per_block_s = (220 + 20) / 2
    left_s = 600 - 0.5 - 6 - 40 - 220 - 20
    assert minutes.blocks(2, here=2, idle_s=20) == 2 + int(left_s / per_block_s + 0.25)


def test_as_many_prompts_are_timed_token_by_token_as_fit_into_a_share_of_the_minutes() -> None:
    """A prompt takes 1 s on either configuration; 5 % of 3 min are 9 s: one is discarded, three are timed."""
    prepared = MagicMock()
    prepared.suite.generation.max_new_tokens = 8
    passes = {name: FirstPass(fixed_s=(0.2,), token_s=(0.1,), gap_s=1.0) for name in ("torch", "mlx")}
    minutes = {count: Minutes(count, before_s=0.0) for count in (0.5, 3, 30)}
    timed = {count: one.latency_prompts(passes, prepared, most=4) for count, one in minutes.items()}
    assert timed == {0.5: 0, 3: 3, 30: 4}
