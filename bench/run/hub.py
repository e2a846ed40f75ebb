"""Bring what a model needs of a hub repository onto this machine, and no more.

A repository often holds its weights several times over: `original/`, `consolidated.safetensors`, `onnx/`. The
index of the weights says which files are the model; they and what is read beside them are fetched into the
hub's own cache, which goes on where an earlier download stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import cast

from analysis.words import counted
from bench.errors import UserError
from bench.show.safe_text import first_line
from bench.suite import libraries
from bench.suite.weights import BESIDE, INDEX, SAFETENSORS, weights_in

Progress = Callable[[str, int | None, int | None], None]
"""Called with what is going on, and bytes done and in total where they are known."""


def fetch(repo: str, revision: str | None, *, progress: Progress, weight_files: tuple[str, ...]) -> None:
    """Fetch a model, or what an interrupted download has left out.

    Args:
        repo: `owner/name`.
        revision: branch, tag or commit; None is `main`.
        progress: is told the size before anything large is fetched.
        weight_files: patterns of the files that will be read.

    Raises:
        UserError: there is no such model, it holds no such weights, or the hub can't be reached.
    """
    libraries.require("huggingface_hub", what="a model of the hub", extra="embedded")
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    # the error of the library that it speaks HTTP with, which has changed
    unreachable = cast(type[Exception], HfHubHTTPError.__mro__[1])

    at = f"{repo} at {revision}" if revision else repo
    progress(f"asking the hub about {at}", None, None)
    try:
        about = HfApi().model_info(repo, revision=revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in about.siblings or []}
        index = None
        if INDEX in sizes and SAFETENSORS[0] in weight_files:
            index = json.loads(Path(hf_hub_download(repo, INDEX, revision=about.sha)).read_text("utf-8"))
        needed = choose(sizes, weight_files, index=index)
        size_gb = sum(sizes[name] for name in needed) / 1e9
        progress(f"downloading {repo}: {size_gb:.2f} GB in {counted(len(needed), 'file')}", None, None)
        snapshot_download(repo, revision=about.sha if revision else None, allow_patterns=sorted(needed))
    except GatedRepoError:
        raise UserError(
            f"the hub gives {at} only to those who accepted its terms",
            fix=f"accept them on https://huggingface.co/{repo} and log in with: hf auth login",
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"the hub has no model {at}, or it is private", fix="check the id, or log in with: hf auth login"
        ) from None
    except (unreachable, OSError, ValueError) as error:
        raise UserError(
            f"can't fetch {at} from the hub: {first_line(error)}",
            fix="try `bench models fetch` when online; it goes on where it stopped",
        ) from None


def choose(
    names: Collection[str], weight_files: tuple[str, ...], *, index: Mapping[str, object] | None
) -> set[str]:
    """The files of a repository that a model needs.

    Args:
        names: all of them, folders included.
        weight_files: patterns of the weights that will be read.
        index: content of the index of the weights, where there is one.

    Raises:
        UserError: there are no such weights.
    """
    first_folder = [name for name in names if "/" not in name]
    weights = weights_in(first_folder, weight_files, index=index)
    weights |= {name for name in names if any("/" in p and fnmatch(name, p) for p in weight_files)}
    if not weights:
        held = sorted({Path(name).suffix for name in names if Path(name).suffix not in ("", ".json", ".md")})
        raise UserError(
            f"it holds no {' and no '.join(weight_files)} but {', '.join(held) or 'no weights'}",
            fix="choose a repository or a revision that has them",
        )
    if missing := weights - set(names):
        raise UserError(f"it should hold {sorted(missing)[0]!r}, and does not")
    beside = {name for name in first_folder if any(fnmatch(name, pattern) for pattern in BESIDE)}
    return weights | beside
