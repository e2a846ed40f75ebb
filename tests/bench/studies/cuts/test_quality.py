"""What a cut costs in quality: figures by hand, and the command on a tiny random model."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.values import Estimate, Withheld
from backends.cut import FULL, Cut
from backends.guard import Verdict
from bench.errors import UserError
from bench.run.workers.logits import LogitComparison, compare
from bench.studies.cuts.cut_options import one_cut, points_of, strength
from bench.studies.cuts.quality import (
    GatedAnswer,
    contains,
    flat_because_inactive,
    quality_of_answers,
    quality_of_text,
    windows_of,
)
from bench.studies.cuts.texts import TextChoice, load_text
from bench.suite.prompts import PromptSet
from tests.bench.at_hand import quick
from tests.bench.processes import AS_ROOT
from tests.tiny_models import save_tiny_llama


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quality")
    save_tiny_llama(folder / "tiny")
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 20)
    lines = [{"id": f"p{n}", "text": f"question number {n} about this", "reference": "x"} for n in range(3)]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def reading(window: int, stride: int, windows: int) -> TextChoice:
    return TextChoice(text=None, window=window, stride=stride, windows=windows)


def comparison(gated: list[float], ungated: list[float]) -> LogitComparison:
    return LogitComparison(log_probabilities=gated, ungated=ungated, kl=0.1, top1=0.5, same=gated == ungated)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["kv_keep=1.5"], "kv_keep = 1.5; give a fraction above 0 and at most 1"),
        (["kv_keep=0"], "kv_keep = 0"),
        (["weight_bits=5"], "weight_bits = 5; give 16, 8 or 4"),
        (["drop_mlp=-1"], "layers are numbered from 0"),
        (["kv_kep=0.5"], "did you mean 'kv_keep'"),
        (["kv_keep"], "write KEY=VALUE"),
        (["kv_keep=0.1:0.9"], "FROM:TO:STEP"),
        (["kv_keep=0.9:0.1:0.1"], "lead nowhere"),
        (["kv_keep=0.5", "kv_keep=0.6"], "given twice"),
        (["kv_keep=half"], "valid number"),
        ([], "no cut is given"),
        (["kv_keep=0.1/0.2", "mlp_keep=0.1/0.2", "weight_bits=8/4"], "sweep 2 of them at most"),
    ],
)
def test_a_cut_that_can_not_be_is_refused_in_words(texts: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        points_of(texts)


def test_cuts_compose_and_ranges_are_exact_decimals() -> None:
    cut = one_cut(["kv_keep=0.5", "kv_policy=sinks_window", "drop_mlp=3,1", "lookup=true"])
    assert cut == Cut(kv_keep=0.5, kv_policy="sinks_window", drop_mlp=(1, 3), lookup=True)
    found = points_of(["kv_keep=0.1:1.0:0.1", "weight_bits=8"])
    assert [point.cut.kv_keep for point in found.points] == [n / 10 for n in range(1, 11)]
    assert found.swept == ("kv_keep",)
    grid = points_of(["kv_keep=0.5/1.0", "drop_mlp=1/1,2"])
    assert [point.label for point in grid.points][1] == "kv_keep=0.5 drop_mlp=1,2"
    with pytest.raises(UserError, match="bench sweep"):
        one_cut(["kv_keep=0.5/1.0"])


def test_strength_is_the_fraction_that_is_kept() -> None:
    cut = Cut(kv_keep=0.5, drop_blocks=(1, 2, 3), weight_bits=8, lookup=True)
    keys = ("kv_keep", "drop_blocks", "weight_bits", "lookup")
    assert [strength(cut, key, layers=30, loaded_bits=32) for key in keys] == [0.5, 0.9, 0.25, None]


def test_windows_score_every_token_once() -> None:
    ids = list(range(100))
    windows = windows_of(ids, reading(16, 8, 99))
    scored = [i for w in windows for i in w.ids[w.first + 1 :]]
    assert scored == ids[1:]
    assert all(len(w.ids) <= 16 for w in windows)
    assert len(windows_of(ids, reading(16, 8, 3))) == 3
    for window, stride, most in ((8, 8, 1), (8, 0, 1), (16, 8, 0)):
        with pytest.raises(UserError):
            reading(window, stride, most).open(PromptSet(file=Path(), sha256="", prompts=()))
    with pytest.raises(UserError, match="1 token"):
        windows_of([7], reading(16, 8, 1))


def test_perplexity_and_its_rise_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(3)
    ungated = [-rng.uniform(1, 3, size=n) for n in (31, 16, 16, 16, 16, 9)]
    gated = [window - 0.05 for window in ungated]
    found = quality_of_text([comparison(g.tolist(), u.tolist()) for g, u in zip(gated, ungated, strict=True)])
    assert found.tokens == 104
    assert found.ungated.mean == pytest.approx(math.exp(-np.concatenate(ungated).mean()))
    assert found.rise.mean == pytest.approx(math.expm1(0.05))
    assert isinstance(found.rise.interval, Estimate)
    assert found.rise.interval.high - found.rise.interval.low < 1e-9  # paired: the same in every window
    assert isinstance(quality_of_text([comparison([-1.0], [-1.0])]).ungated.interval, Withheld)


def test_flat_perplexity_is_said_to_be_equal_computation() -> None:
    same = quality_of_text([comparison([-1.0, -2.0], [-1.0, -2.0])])
    moved = quality_of_text([comparison([-1.0, -2.5], [-1.0, -2.0])])
    assert "not one logit" in (flat_because_inactive(same, Verdict(outcome="effective", reason="")) or "")
    said = flat_because_inactive(moved, Verdict(outcome="gate inactive", reason="because")) or ""
    assert said.startswith("gate inactive: because")
    assert flat_because_inactive(moved, Verdict(outcome="effective", reason="")) is None


def test_answers_are_compared_token_by_token_and_by_their_references() -> None:
    def answer(tokens: list[int], text: str) -> GatedAnswer:
        return GatedAnswer(
            prompt="p",
            tokens=tokens,
            ungated=[1, 2, 3, 4],
            text=text,
            ungated_text="It is 391.",
            references=("391",),
            comparison=comparison([-1.0], [-1.0]),
        )

    answers = [answer([1, 2, 3, 4], "It is 391"), answer([1, 9, 3, 4], "It is 3912")] * 10
    found = quality_of_answers(answers)
    assert found.agreement is not None
    assert found.agreement.mean == 0.875
    assert isinstance(found.agreement.interval, Estimate)
    assert found.diverged == 10
    assert found.first_divergence is not None
    assert found.first_divergence.mean == 2.5
    assert found.score is not None
    assert found.score.mean == 0.5
    assert found.ungated_score is not None
    assert found.ungated_score.mean == 1
    few = quality_of_answers(answers[:2])
    assert few.kl is not None
    assert isinstance(few.kl.interval, Withheld)
    assert quality_of_answers([]).agreement is None


def test_a_reference_is_found_as_whole_words_in_any_case() -> None:
    assert contains("The answer: MERCURY!", ("mercury",))
    assert contains("it is +5 °C today", ("+5 °C",))
    assert not contains("mercurial", ("mercury", "mercuria"))
    assert not contains("", ("x",))


def test_logits_are_compared_where_they_predict_something_known(tiny: Path) -> None:
    from backends.torch.load import load

    model, ids = load(folder=tiny / "tiny"), [7 * n % 260 for n in range(1, 81)]
    [same, cut] = compare(model, ids, [FULL, Cut(kv_keep=0.5)], first=70)
    assert same.same
    assert (same.kl, same.top1) == (0.0, 1.0)
    assert len(cut.ungated) == 9
    assert cut.ungated == pytest.approx(model.score(ids)[70:].tolist())
    assert cut.log_probabilities == pytest.approx(model.score(ids, Cut(kv_keep=0.5))[70:].tolist())
    assert not cut.same
    assert cut.kl > 0


def test_the_command_gives_every_figure_and_its_table_says_what_they_are(tiny: Path) -> None:
    options = (
        "--text",
        "text.txt",
        "--window",
        "64",
        "--stride",
        "32",
        "--windows",
        "6",
        "--max-new-tokens",
        "4",
    )
    arguments = ("quality", "tiny", "--cut", "kv_keep=0.5", "--cut", "mlp_keep=0.5", *options, *AS_ROOT)
    done = quick(*arguments, "--prompts", "prompts.jsonl", "--json", cwd=tiny)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["outcome"] == "effective"
    assert found["cut"] == {"kv_keep": 0.5, "mlp_keep": 0.5}
    assert found["text"]["windows"] == 6
    assert found["text"]["tokens"] == 63 + 5 * 32
    assert found["answers"]["prompts"] == 3
    assert found["answers"]["kl"]["mean"] > 0
    assert "too few" in found["answers"]["kl"]["interval"]["reason"]


def test_a_cut_without_effect_is_gate_inactive_and_has_no_figures(tiny: Path) -> None:
    options = ("--max-new-tokens", "2", "--limit", "2", "--backend", "echo", "--cut", "kv_keep=0.5")
    done = quick("quality", "echo", *options, *AS_ROOT, cwd=tiny)
    assert done.returncode == 0, done.stderr
    assert "gate inactive" in done.stdout
    assert "no loss" not in done.stdout
    assert "rise of perplexity" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cut", "kv_keep=2"], "give a fraction above 0"),
        (["--cut", "drop_blocks=9"], "layer 9, but the model has layers 0 to 7"),
        (["--cut", "kv_keep=0.5", "--cut", "kv_policy=snapkv"], "snapkv looks at the last 32"),
        (["--cut", "kv_keep=0.5", "--window", "4096"], "window 4096 exceeds the context of the model, 2048"),
        (["--cut", "kv_keep=0.5", "--text", "nowhere.txt"], "can't read the text 'nowhere.txt'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tiny: Path, arguments: list[str], said: str) -> None:
    options = ("--backend", "echo", "--prompts", "prompts.jsonl")
    done = quick("quality", "echo", *arguments, *options, *AS_ROOT, cwd=tiny)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_wikitext_comes_from_the_hub_and_offline_the_message_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    import pyarrow as pa
    import pyarrow.parquet as pq

    def hub(answer: Callable[[], str]) -> None:
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: answer())

    def offline() -> str:
        raise OSError("no network")

    pq.write_table(pa.table({"text": ["", " = Title = \n", "words\n"]}), tmp_path / "test.parquet")
    monkeypatch.chdir(tmp_path)
    hub(lambda: str(tmp_path / "test.parquet"))
    assert load_text("wikitext-2").text == " = Title = \nwords\n"
    hub(offline)
    with pytest.raises(UserError, match="no network; offline, give a text file with --text"):
        load_text("wikitext-2")
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(UserError, match="no text in it"):
        load_text("empty.txt")
    with pytest.raises(UserError, match="home of a user who is not known"):
        load_text("~nobody-here/text.txt")
