"""A stored sweep becomes the points that claims are judged on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.values import Estimate
from backends.cut import FULL, Cut
from bench.errors import UserError
from bench.studies.claims.for_programs import to_csv, to_json
from bench.studies.claims.reproduce import reproduce
from bench.studies.claims.sweeps import read_sweeps, resweeps
from bench.studies.cuts.quality import Mean
from bench.studies.sweep.findings import Cliff, SweptArm
from bench.studies.sweep.tables import to_json as sweep_json
from tests.bench.studies.sweep.test_findings import arm, judged


def active(cut: Cut, rise: float, *, speed: float) -> SweptArm:
    one = arm(cut, rise, gate=repr(cut))
    assert one.text is not None
    mean = Mean(mean=rise, interval=Estimate(rise, rise - 0.001, rise + 0.001), count=9)
    return replace(one, text=replace(one.text, rise=mean), tokens_per_s_ratio=speed)


def stored(folder: Path, *arms: SweptArm) -> Path:
    """A run folder with a sweep in it: 30 layers, a cliff at 0.9, the A/A arm 1 % faster."""
    ungated = arm(FULL, 0.0, outcome="ungated", gate="ungated")
    again = replace(ungated, row=replace(ungated.row, a_a=True), tokens_per_s_ratio=1.01)
    cliff = Cliff(backend="torch", key="kv_keep", beside="", strength=0.9, reason="")
    found = replace(judged([ungated, again, *arms], "kv_keep"), cliffs=[cliff])
    (folder / "sweep").mkdir(parents=True)
    (folder / "sweep" / "sweep.json").write_text(json.dumps(sweep_json(found)))
    return folder


def test_a_sweep_with_real_cuts_refutes_what_the_record_says(tmp_path: Path) -> None:
    half = active(Cut(kv_keep=0.5, mlp_keep=0.5), 0.8, speed=1.4)
    sweeps = read_sweeps([stored(tmp_path, half)])
    verdicts = {
        name: resweeps(name, sweeps)[0].verdict
        for name in ("redundancy.perplexity", "redundancy.speed", "redundancy.cliff")
    }
    assert verdicts == {
        "redundancy.perplexity": "not reproduced",
        "redundancy.speed": "reproduced",
        "redundancy.cliff": "not reproduced",
    }


def test_dropped_layers_are_a_share_of_the_model(tmp_path: Path) -> None:
    few = active(Cut(drop_attention=tuple(range(14))), 0.01, speed=1.1)
    many = active(Cut(drop_attention=tuple(range(15))), 0.3, speed=1.2)
    (only_few,) = resweeps("literature.attention_dropped", read_sweeps([stored(tmp_path / "a", few)]))
    assert only_few.verdict == "not testable here"
    (found,) = resweeps("literature.attention_dropped", read_sweeps([stored(tmp_path / "b", few, many)]))
    assert found.verdict == "not reproduced"


def test_a_quantised_point_is_not_a_pruned_one(tmp_path: Path) -> None:
    both = active(Cut(kv_keep=0.5, weight_bits=8), 0.8, speed=1.4)
    (found,) = resweeps("redundancy.perplexity", read_sweeps([stored(tmp_path, both)]))
    assert found.verdict == "not testable here"


def test_a_claim_of_joules_is_not_judged_on_a_sweep(tmp_path: Path) -> None:
    assert resweeps("routing.short.energy", read_sweeps([stored(tmp_path)])) == ()


def test_the_verdict_is_in_every_form_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stored(tmp_path, active(Cut(kv_keep=0.5), 0.8, speed=1.4))
    monkeypatch.setattr("bench.studies.claims.reproduce.gather", lambda _: [])
    rows = reproduce(["redundancy.perplexity"], [folder])
    (claim,) = to_json(rows)
    assert claim["resweeps"][0]["verdict"] == "not reproduced"
    assert "perplexity rises by +80.0 %" in to_csv(rows)


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ('{"', "", "Expecting|Extra data"),
        ('"layers": 30', '"layers": 0', "layers"),
        ('"layers": 30', '"layers": NaN', "NaN"),
        ('"outcome"', '"x"', "configurations.0.outcome"),
        ('{"kv_keep": 0.5}', "3", "cut"),
        ('"kv_keep": 0.5', '"kv_keep": "half"', "kv_keep"),
    ],
)
def test_a_damaged_sweep_is_said(was: str, now: str, why: str, tmp_path: Path) -> None:
    stored(tmp_path, active(Cut(kv_keep=0.5), 0.8, speed=1.4))
    file = tmp_path / "sweep" / "sweep.json"
    assert was in file.read_text()
    file.write_text(file.read_text().replace(was, now))
    with pytest.raises(UserError, match=f"is damaged: .*({why})"):
        read_sweeps([tmp_path])
