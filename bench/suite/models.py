"""Model name -> what of it is on this machine: a folder, or one file of weights.

A name is one of `configs/models.toml`, a folder, a file of weights, a hub id, or one file of a hub
repository (`owner/name:file`). Only formats that can't hold code are loaded, such as safetensors, and no code
that comes with a model is run. Whatever is fetched appears in the cache by one rename, so an
interrupted fetch leaves nothing that looks whole.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass
from glob import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from analysis.words import counted
from backends.inside import links_out
from bench.errors import UserError, nearest
from bench.suite.bundled import configs_folder
from bench.suite.weights import INDEX, SAFETENSORS, beside, is_read, weights_in
from energy.user_cache import user_cache

EMBEDDED_FORMS = ("*.safetensors", "*.gguf")
"""Weight files of an embedded model: it comes as the second, and the first is made of it."""
_NUMBERED = re.compile(r"-\d{5}-of-(\d{5})(?=\.\w+$)")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_PART = r"[A-Za-z0-9][\w.+-]*"
HUB_ID = re.compile(rf"((?![^:]*(?:\.\.|--)){_NAME}/{_NAME}(?<!\.git))(?::({_PART}(?:/{_PART})*))?")
"""A repository of the hub, named as the hub allows it, and perhaps one file of it."""


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
    file: Path | None = None
    """The one that was named, of a folder that may hold others."""

    @property
    def path(self) -> Path | None:
        """What is loaded: the file that was named, else the folder."""
        return self.file or self.folder

    @property
    def size_bytes(self) -> int:
        """Bytes of the weight files."""
        return sum(file.stat().st_size for file in self.weight_files)

    @property
    def weight_files(self) -> list[Path]:
        """Those that are read and are here, sorted by name."""
        if self.file is not None:
            return parts_of(self.file)
        if self.folder is None:
            return []
        return sorted(
            self.folder / name
            for name in self._weights
            if Path(name).name == name and (self.folder / name).is_file()
        )

    @property
    def missing_files(self) -> list[str]:
        """Weight files that the model has and that are not here, sorted by name."""
        if self.file is not None or self.folder is None:
            return []
        here = {file.name for file in self.weight_files}
        return sorted(self._weights - here)

    @property
    def _weights(self) -> set[str]:
        assert self.folder is not None
        index = self.folder / INDEX
        try:
            known = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else None
        except ValueError:
            known = None  # broken: the files' own names say how many there are
        return weights_in([file.name for file in self.folder.iterdir()], self.patterns, index=known)

    @property
    def saved_as(self) -> str | None:
        """Type of the weights by the folder's own word: `bfloat16`, `8 bits`; None where it says nothing."""
        if self.folder is None or self.file is not None:
            return None
        from backends.folder import saved_as  # with numpy, which `bench init` asks nobody to wait for

        try:
            config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return saved_as(config) if isinstance(config, dict) else None

    @property
    def files_beside(self) -> list[Path]:
        """What is read beside the weights: config, tokenizer, chat template."""
        return [] if self.folder is None or self.file is not None else beside(self.folder)


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
    if not weight_files or (entry is not None and entry.kind == "stand-in"):  # nothing is read, or to be read
        return LocalModel(name=name, folder=None, revision=None)
    if entry is not None and entry.kind == "embedded":
        return _embedded(name, entry, weight_files)
    if entry is None and os.path.isfile(os.path.expanduser(name)):
        return _named_file(name, weight_files)
    if entry is None and os.path.isdir(os.path.expanduser(name)):
        here = Path(name).expanduser().resolve()
        return _checked(LocalModel(name=name, folder=here, revision=None, patterns=weight_files))
    repo, file = hub_id(name), file_of_hub(name)
    if file is not None:
        return _hub_file(name, repo, file, revision, weight_files)
    snapshot = _hub_folder(repo, revision, needs_config=_has_config(weight_files))
    if snapshot is None:
        return None
    found = LocalModel(name=name, folder=snapshot, revision=snapshot.name, patterns=weight_files)
    if not found.weight_files or found.missing_files:
        return None  # a download that was interrupted: the next one goes on with it
    return _checked(found)


def hub_id(name: str) -> str:
    """`owner/name` on the hub for a name of the catalogue or a hub id itself, without the file in it.

    Raises:
        UserError: it is neither.
    """
    entry = catalogue().get(name)
    if entry is not None and entry.kind == "hub":
        return entry.repo
    if match := HUB_ID.fullmatch(name):
        return match[1]
    hint = nearest(name, catalogue())
    raise UserError(
        f"unknown model {name!r}", fix=f"{hint}; or give a hub id (owner/name), a folder or a file"
    )


def file_of_hub(name: str) -> str | None:
    """The file that `owner/name:file` names."""
    match = HUB_ID.fullmatch(name)
    return match[2] if match else None


def parts_of(file: Path) -> list[Path]:
    """The file, or all parts of a model that is split over several, as llama.cpp numbers them."""
    return sorted(file.parent.glob(parts_pattern(file.name)))


def parts_pattern(file: str) -> str:
    """A pattern of the names of all parts of a model, of which `file` is one."""
    return _NUMBERED.sub(r"-?????-of-\1", escape(file))


def embedded_folder(name: str, entry: Entry) -> Path:
    """Where the converted form of an embedded model is kept; the hash of its source is in the name."""
    return user_cache() / "models" / f"{name}-{entry.sha256[:12]}"


def _embedded(name: str, entry: Entry, weight_files: tuple[str, ...]) -> LocalModel | None:
    """Its folder, if it holds all the forms in which it is fetched and that are asked for."""
    folder = embedded_folder(name, entry)
    here = LocalModel(name=name, folder=folder, revision=entry.sha256, patterns=weight_files)
    fetched = [pattern for pattern in weight_files if pattern in EMBEDDED_FORMS]
    if not folder.is_dir() or not all(any(folder.glob(pattern)) for pattern in fetched):
        return None
    return _checked(here)


def _named_file(name: str, weight_files: tuple[str, ...]) -> LocalModel:
    file = Path(name).expanduser().resolve()
    _check_file(file.name, weight_files)
    return LocalModel(name=name, folder=file.parent, revision=None, patterns=weight_files, file=file)


def _check_file(file: str, weight_files: tuple[str, ...]) -> None:
    if not is_read(file, weight_files):
        raise UserError(
            f"{file} is no {' and no '.join(weight_files)}, which is what is read",
            fix="`bench doctor --plugins` says what each backend reads",
        )


def _hub_file(
    name: str, repo: str, file: str, revision: str | None, weight_files: tuple[str, ...]
) -> LocalModel | None:
    """One file of a repository in the hub's own cache."""
    _check_file(file, weight_files)
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    here = try_to_load_from_cache(repo, file, revision=revision)
    if not isinstance(here, str) or len(parts_of(Path(here))) < _count_of_parts(file):
        return None
    folder = Path(here).parents[file.count("/")]
    return LocalModel(name=name, folder=folder, revision=folder.name, patterns=weight_files, file=Path(here))


def _count_of_parts(file: str) -> int:
    numbered = _NUMBERED.search(file)
    return int(numbered[1]) if numbered else 1


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
    if outside := links_out(model.folder):
        raise UserError(
            f"{model.folder / outside[0]} is a link out of its folder", fix="put the file itself in its place"
        )
    if _has_config(model.patterns) and not (model.folder / "config.json").is_file():
        raise UserError(f"{model.folder} holds no config.json", fix="give the folder of a Hugging Face model")
    if not model.weight_files:
        wanted = " and no ".join(model.patterns)
        raise UserError(f"{model.folder} holds no {wanted}, the only weights that are loaded")
    if missing := model.missing_files:
        raise UserError(
            f"{model.folder} lacks {counted(len(missing), 'file')} of its weights, such as {missing[0]}",
            fix="copy or fetch the folder again",
        )
    return model
