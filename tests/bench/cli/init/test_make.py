"""Answers and a pilot -> a suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.sizing import Noise
from backends.about import About
from bench.cli.init import make as init
from bench.cli.init.answers import Answers
from bench.cli.init.fitting import SuitePace
from bench.cli.init.pilot import Pilot
from bench.errors import UserError
from bench.suite.models import LocalModel
from bench.suite.prepare import prepare
from tests.families import save_tiny

ECHO = LocalModel(name="echo", folder=None, revision=None)
GATE = Answers(model="echo", question="gate", minutes=60)
PILOT = Pilot(
    noise=Noise(seen=0.011, planned=0.016, blocks=6),
    pace=SuitePace(request_s=0.5, gap_s=0.4, startup_s=12.0),
    kind="modelled",
    meter="no meter can be read",
    window_s=2.5,
)


def test_the_suite_can_be_run_and_says_where_its_sizes_come_from(tmp_path: Path) -> None:
    file = tmp_path / "my gate.toml"
    draft, sized = init.finish(init.begin(GATE, ECHO, file=file), GATE, PILOT, file=file)
    init.write(draft, file)
    found = prepare(file)
    assert found.suite.name == "my-gate"
    assert found.suite.protocol.blocks == sized.blocks >= 5
    assert found.suite.models["small"].layers == 3
    text = " ".join(file.read_text(encoding="utf-8").replace("\n#", "").split())
    assert "Is this gate's saving real?" in text
    assert "the joules (modelled, NOT a measurement) of the same work differed by 1.1 %" in text
    assert "so the plan takes 1.6 %" in text
    assert "A saving of 4 % needs" in text
    assert list(tmp_path.iterdir()) == [file]


def test_a_measurement_is_not_called_modelled_and_an_assumption_is_called_one(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    draft = init.begin(GATE, ECHO, file=file)
    measured = Pilot(**{**vars(PILOT), "kind": "measured"})
    assert "NOT" not in " ".join(init.finish(draft, GATE, measured, file=file)[0].heading)
    assert "ASSUMED" in " ".join(init.finish(draft, GATE, None, file=file)[0].heading)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    draft, _ = init.finish(init.begin(GATE, ECHO, file=file), GATE, None, file=file)
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="not overwritten"):
        init.write(draft, file)
    assert file.read_text(encoding="utf-8") == "mine"


def test_one_backend_can_not_be_compared(tmp_path: Path) -> None:
    answers = Answers(model="echo", question="backend", minutes=60)
    with pytest.raises(UserError, match="one backend only"):
        init.begin(answers, ECHO, file=tmp_path / "a.toml")


def test_a_model_in_a_folder_is_named_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    here = LocalModel(name="weights", folder=folder, revision=None)
    answers = Answers(model="weights", question="backend", minutes=60)
    assert init.begin(answers, here, file=Path("a.toml")).model == str(folder)


def test_the_backends_are_those_whose_library_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny("llama", tmp_path)
    here = LocalModel(name="weights", folder=tmp_path, revision=None)
    one = Answers(model=str(tmp_path), question="cut", minutes=60)
    both = Answers(model=str(tmp_path), question="backend", minutes=60)
    file = tmp_path / "a.toml"
    said = {"echo": About(), "mlx": About(needs=("json",)), "torch": About(needs=("json",))}
    monkeypatch.setattr(init.libraries, "every", lambda: said)
    assert set(init.begin(both, here, file=file).backends) == {"torch", "mlx"}
    said["torch"] = About(needs=("no_such_module",))
    assert init.begin(one, here, file=file).backends == ("mlx",)
    with pytest.raises(UserError, match=r"2 backends .* needed, but 1 can here; .*joulebench\[all\]"):
        init.begin(both, here, file=file)


def test_a_file_of_weights_goes_to_the_backend_that_reads_it(tmp_path: Path) -> None:
    weights = tmp_path / "small.gguf"
    weights.write_bytes(b"GGUF")
    here = LocalModel(name=str(weights), folder=tmp_path, revision=None, file=weights)
    cost, cut, backend = (
        Answers(model=str(weights), question=question, minutes=60) for question in ("cost", "cut", "backend")
    )
    draft = init.begin(cost, here, file=tmp_path / "a.toml")
    assert (draft.backends, draft.model) == (("llama_cpp",), str(weights))
    with pytest.raises(UserError, match="'llama_cpp' can't leave parts of a model out"):
        init.begin(cut, here, file=tmp_path / "a.toml")
    with pytest.raises(UserError, match="one backend only"):
        init.begin(backend, here, file=tmp_path / "a.toml")
