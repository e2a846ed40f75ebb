"""Which files of a folder or a repository are the weights of its model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

SAFETENSORS = ("*.safetensors",)
"""Weight files that are read unless a backend says otherwise."""
INDEX = "model.safetensors.index.json"
"""Which weight is in which file, of a model whose weights are several files."""
BESIDE = ("*.json", "tokenizer*", "*.model", "merges.txt", "vocab.txt", "chat_template.jinja")
"""What is read beside the weights, all of it in the repository's first folder."""
_ONE_OF_SEVERAL = re.compile(r"(.*-)(\d{5})-of-(\d{5})(\..*)")
"""A file of weights that are several files."""


def weights_in(
    names: Collection[str], patterns: tuple[str, ...], *, index: Mapping[str, object] | None = None
) -> set[str]:
    """The weight files of a model among the files of its folder, those that should be there included.

    Args:
        names: of the files.
        patterns: of the weight files that are read.
        index: content of the file `INDEX`, which names them.
    """
    named = (index or {}).get("weight_map")
    if SAFETENSORS[0] in patterns and isinstance(named, dict) and named:
        others = tuple(pattern for pattern in patterns if pattern != SAFETENSORS[0])
        return {str(name) for name in named.values()} | (weights_in(names, others) if others else set())
    found = {name for name in names if is_read(name, patterns)}
    tensors = {name for name in found if name.endswith(".safetensors")}
    if usual := {name for name in tensors if name.startswith("model")}:
        found -= tensors - usual  # other forms of the same weights, such as consolidated.safetensors
    whole = [_ONE_OF_SEVERAL.fullmatch(name) for name in found]
    for one in filter(None, whole):
        start, _, count, ending = one.groups()
        found |= {f"{start}{number:05}-of-{count}{ending}" for number in range(1, int(count) + 1)}
    return found


def is_read(file: str, patterns: Iterable[str]) -> bool:
    """Whether a file of this name, in whatever folder, is one of those that some backend reads.

    Hidden ones are not: on a disk of another system macOS keeps one beside each file, `._` before its name.
    """
    name = Path(file).name
    return not name.startswith(".") and any(fnmatch(name, pattern) for pattern in patterns)


def beside(folder: Path) -> list[Path]:
    """The files of a folder that are read beside the weights, sorted."""
    return sorted(file for file in folder.iterdir() if is_read(file.name, BESIDE) and file.is_file())


def sha256_of(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by its name."""
    hashes = {}
    for file in files:
        with file.open("rb") as stream:
            hashes[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def one_sha256(hashes: Mapping[str, str]) -> str | None:
    """SHA-256 over those of several files, in the order of their names; None of none."""
    digest = hashlib.sha256(b"".join(bytes.fromhex(hashes[name]) for name in sorted(hashes)))
    return digest.hexdigest() if hashes else None
