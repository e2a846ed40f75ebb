"""A cut from outside the project: an entry point and one module, on a random model by both libraries."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from backends.base import Backend, RequestError
from backends.cut import FULL, Cut
from backends.guard import Observed, judge
from backends.ledger import request_ledger
from bench.suite import plugins
from tests.bench.at_hand import QUICK, at_hand
from tests.bench.processes import of_type
from tests.bench.suites import write_suite
from tests.outside.conftest import Outside
from tests.tiny_models import LAYERS, save_tiny_llama

MODULE = '''
from typing import Annotated

from pydantic import Field

from backends.added import AddedCut
from backends.anatomy import layers_of
from backends.base import RequestError
from backends.parts import leave_out


class SkipMlp(AddedCut):
    def __init__(self, every, *, idle):
        self._every, self._idle = every, idle

    def _skips(self, layer):
        return layer % self._every == self._every - 1

    def check(self, info):
        if self._every > info.layers:
            raise RequestError(f"skip_mlp = {self._every}, but the model has {info.layers} layers")

    def change(self, model, *, parts, anatomy, info):
        for number, layer in enumerate(layers_of(model)):
            if self._skips(number) and not self._idle:
                leave_out(parts, layer, "mlp", anatomy)

    def kept_units(self, layer, units):
        return 0 if self._skips(layer) else units

    def kept_share(self, layers):
        return 1 - (layers // self._every) / layers


def skip_mlp(*, every: Annotated[int, Field(ge=2)]) -> AddedCut:
    """Leave out the MLP of every n-th layer.

    Args:
        every: so many layers, of which the last runs without its MLP.
    """
    return SkipMlp(every, idle=False)


def claims_only(*, every: int) -> AddedCut:
    """Say that MLPs are left out, and leave none out."""
    return SkipMlp(every, idle=True)
'''
FILES = ["skips.py", "somebody-1.0.dist-info/METADATA", "somebody-1.0.dist-info/entry_points.txt"]
PROMPT = list(range(10, 34))


@pytest.fixture
def skips(outside: Outside) -> Outside:
    """The package with its two cuts."""
    outside.add("cuts", "skip_mlp", where="skips:skip_mlp", text=MODULE)
    outside.add("cuts", "claims_only", where="skips:claims_only", text=MODULE)
    assert outside.files == FILES
    return outside


@pytest.fixture
def on_the_path(skips: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package can be imported by this process."""
    monkeypatch.syspath_prepend(str(skips.folder))
    monkeypatch.delitem(sys.modules, "skips", raising=False)


@pytest.fixture(params=["torch", "mlx"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """A small random llama, loaded."""
    folder = save_tiny_llama(tmp_path / "llama")
    loaded: Backend = plugins.create("backends", request.param, {"folder": folder, "dtype": "float32"})
    return loaded


def observed(model: Backend, cut: Cut) -> Observed:
    model.ready(cut)
    full, with_cut = (
        model.decode(model.prefill(PROMPT, c), max_new_tokens=4, ignore_eos=True) for c in (FULL, cut)
    )
    return Observed(
        full=full,
        cut=with_cut,
        full_logits=model.logits_after(PROMPT, full.tokens[:2]),
        cut_logits=model.logits_after(PROMPT, full.tokens[:2], cut),
    )


@pytest.mark.usefixtures("on_the_path")
def test_it_takes_effect_is_counted_and_composes_with_the_projects_own(model: Backend) -> None:
    cut = Cut.model_validate({"skip_mlp": 2})
    seen = observed(model, cut)
    assert judge(cut, seen).reason == ""
    assert seen.cut.used is not None
    assert [units == 0 for units in seen.cut.used.mlp_units] == [n % 2 == 1 for n in range(LAYERS)]

    full, less = (
        request_ledger(model.shape(c), c, prompt_tokens=len(PROMPT), generated=g).decode
        for c, g in ((FULL, seen.full), (cut, seen.cut))
    )
    an_mlp = model.shape().layers[0]
    skipped = LAYERS // 2 * (an_mlp.mlp_bytes + an_mlp.norm_bytes // 2) * full.forwards
    assert full.weight_bytes - less.weight_bytes == skipped
    assert full.flops - less.flops == LAYERS // 2 * 2 * an_mlp.mlp_weights * full.forwards

    both = Cut.model_validate({"skip_mlp": 2, "kv_keep": 0.5, "mlp_keep": 0.5})
    assert judge(both, observed(model, both)).reason == ""


@pytest.mark.usefixtures("on_the_path")
def test_one_that_only_claims_to_leave_work_out_is_inactive(model: Backend) -> None:
    cut = Cut.model_validate({"claims_only": 2})
    verdict = judge(cut, observed(model, cut))
    assert verdict.outcome == "gate inactive"
    assert "0 of 128 MLP units were asked for, but layer 1 used 128" in verdict.reason


@pytest.mark.usefixtures("on_the_path")
def test_it_refuses_a_model(model: Backend) -> None:
    with pytest.raises(RequestError, match=f"skip_mlp = 9, but the model has {LAYERS} layers"):
        model.ready(Cut.model_validate({"skip_mlp": 9}))


def test_it_is_listed_completed_and_its_value_is_checked(skips: Outside) -> None:
    listed = {
        p["name"]: p for p in json.loads(skips.works("doctor", "--plugins", "--json")) if p["group"] == "cuts"
    }
    assert listed["skip_mlp"]["options"] == {"every": "required"}
    assert "greater than or equal to 2" in skips.refused("quality", "echo", "--cut", "skip_mlp=1")
    assert "did you mean 'skip_mlp'" in skips.refused("quality", "echo", "--cut", "skip_mpl=2")

    for key, said in (("skip_mpl", "did you mean 'skip_mlp'"), ("kv_kep", "did you mean 'kv_keep'")):
        cut = {"plugin": "constant", "budget": {"cut": {key: 2}}}
        suite = write_suite(skips.cwd, gates={"ungated": {}, "skipping": cut})
        assert said in skips.refused("run", str(suite))


@pytest.mark.usefixtures("no_figures")
def test_a_suite_has_it_and_its_records_say_so(skips: Outside) -> None:
    cut = {"plugin": "constant", "budget": {"cut": {"skip_mlp": 2}}}
    skips.run(write_suite(skips.cwd, gates={"ungated": {}, "skipping": cut}), own_process=True)
    cuts = {r["gate"]: r["cut"] for r in of_type(skips.cwd / "results", "request")}
    assert cuts == {"ungated": {}, "skipping": {"skip_mlp": 2}}


def test_its_quality_is_measured(skips: Outside, tmp_path: Path) -> None:
    options = (
        "--cut",
        "skip_mlp=2",
        "--limit",
        "2",
        "--max-new-tokens",
        "3",
        "--json",
        "--window",
        "32",
        "--stride",
        "16",
    )
    folder = str(save_tiny_llama(tmp_path / "llama"))
    with at_hand():
        found = json.loads(skips.works("quality", folder, *options))
    assert found["cut"] == {"skip_mlp": 2}
    assert found["outcome"] == "effective"


def test_it_is_swept(skips: Outside) -> None:
    write_suite(skips.cwd, gates={"ungated": {}}, **QUICK)
    options = ("suite.toml", "--cut", "skip_mlp=2/4", "--json")
    with at_hand():
        result = json.loads(skips.works("sweep", *options).splitlines()[-1])
    assert [arm["cut"] for arm in result["configurations"] if arm["cut"]] == [
        {"skip_mlp": 2},
        {"skip_mlp": 4},
    ]
