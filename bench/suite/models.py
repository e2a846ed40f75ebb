"""Model name -> local Hugging Face folder.

A name is one of `configs/models.toml`, a folder, or a hub id. Only safetensors are ever loaded, and no
code that comes with a model is run. Whatever is fetched appears in the cache by one rename, so an
interrupted fetch leaves nothing that looks whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bench.errors import UserError, nearest
from bench.suite.bundled import configs_folder

SAFETENSORS = ("*.safetensors",)
"""Weight files that are read unless a backend says otherwise."""
HUB_FILES = ("*.safetensors.index.json", "*.json", "tokenizer*", "*.model", "merges.txt")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class Entry(BaseModel):
    """One table of `configs/models.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["embedded", "hub", "stand-in"]
    summary: str
    license: str
    repo: str = ""
    requirement: str = ""
    member: str = ""
    sha256: str = ""
    download_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A model that is on this machine. `folder` is None only for the stand-in, which has no weights."""

    name: str
    folder: Path | None
    revision: str | None
    """Commit of a hub model, hash of an embedded one, None for a plain folder."""
    patterns: tuple[str, ...] = SAFETENSORS
    """Of the weight files that are read."""

    @property
    def size_bytes(self) -> int:
        """Bytes of the weight files."""
        return sum(file.stat().st_size for file in self.weight_files)

    @property
    def weight_files(self) -> list[Path]:
        """Those that are read, sorted by name."""
        folder = self.folder
        return sorted({file for p in self.patterns for file in folder.glob(p)}) if folder else []

    def weight_hash(self) -> str | None:
        """SHA-256 over all weight files, in the order of their names; None without weights."""
        digest = hashlib.sha256()
        for file in self.weight_files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest() if self.weight_files else None


def cache_folder() -> Path:
    """Where fetched models live: JOULEBENCH_CACHE, else the user's cache."""
    chosen = os.environ.get("JOULEBENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "joulebench"


def catalogue() -> dict[str, Entry]:
    """The models known by name."""
    with (configs_folder() / "models.toml").open("rb") as file:
        return {name: Entry.model_validate(table) for name, table in tomllib.load(file).items()}


def locate(
    name: str, revision: str | None = None, *, weight_files: tuple[str, ...] = SAFETENSORS
) -> LocalModel | None:
    """The model if it is on this machine, else None; never touches the network.

    Args:
        name: of the catalogue, a folder, or a hub id.
        revision: of a hub model.
        weight_files: patterns of the files that will be read; see `backends.about`.

    Raises:
        UserError: the name can't be a model, or the folder holds none.
    """
    entry = catalogue().get(name)
    if entry is not None and entry.kind == "stand-in":
        return LocalModel(name=name, folder=None, revision=None)
    if entry is not None and entry.kind == "embedded":
        folder = embedded_folder(name, entry)
        return LocalModel(name=name, folder=folder, revision=entry.sha256) if folder.is_dir() else None
    if entry is None and Path(name).expanduser().is_dir():
        here = Path(name).expanduser().resolve()
        return _checked(LocalModel(name=name, folder=here, revision=None, patterns=weight_files))
    snapshot = _hub_folder(hub_id(name), revision, needs_config=_has_config(weight_files))
    if snapshot is None or not any(any(snapshot.glob(pattern)) for pattern in weight_files):
        return None
    return _checked(LocalModel(name=name, folder=snapshot, revision=snapshot.name, patterns=weight_files))


def hub_id(name: str) -> str:
    """`owner/name` on the hub for a name of the catalogue or a hub id itself.

    Raises:
        UserError: it is neither.
    """
    entry = catalogue().get(name)
    if entry is not None and entry.kind == "hub":
        return entry.repo
    if HUB_ID.fullmatch(name):
        return name
    hint = nearest(name, catalogue())
    raise UserError(f"unknown model {name!r}", fix=f"{hint}; or give a hub id (owner/name) or a folder")


def embedded_folder(name: str, entry: Entry) -> Path:
    """Where the converted form of an embedded model is kept; the hash of its source is in the name."""
    return cache_folder() / "models" / f"{name}-{entry.sha256[:12]}"


def _hub_folder(repo: str, revision: str | None, *, needs_config: bool) -> Path | None:
    """The snapshot of a hub model in the hub's own cache; without the hub's library nothing can load it."""
    if find_spec("huggingface_hub") is None:
        return None
    if needs_config:
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(repo, "config.json", revision=revision)
        return Path(config).parent if isinstance(config, str) else None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _has_config(patterns: tuple[str, ...]) -> bool:
    """Whether models with such weight files have a `config.json` beside them."""
    return any(pattern.endswith(".safetensors") for pattern in patterns)


def _checked(model: LocalModel) -> LocalModel:
    assert model.folder is not None
    if _has_config(model.patterns) and not (model.folder / "config.json").is_file():
        raise UserError(f"{model.folder} holds no config.json", fix="give the folder of a Hugging Face model")
    if not model.weight_files:
        wanted = " and no ".join(model.patterns)
        raise UserError(f"{model.folder} holds no {wanted}, the only weights that are loaded")
    return model
