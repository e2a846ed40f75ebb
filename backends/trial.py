"""What a model can't do under a cut, said by name before anything is measured.

Types of models are many, and a model file of a library raises what it likes. So every cut runs one short
request when it is made ready, outside of every window.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from backends.anatomy import heads_of, keys_read_by_others
from backends.base import Backend, BackendError, BackendInfo, ModelError, RequestError
from backends.cut import Cut
from backends.folder import ModelFolder
from backends.kv_bits import GROUPS
from backends.kv_policies import looks_at_attention

_TOKENS = 4


def check_cache(cut: Cut, folder: ModelFolder, info: BackendInfo, forgetful: set[str], *, state: str) -> None:
    """Raise `RequestError` where a cut needs what the cache of a model has not.

    Args:
        cut: Any.
        folder: Of the model.
        info: Of the model.
        forgetful: Kinds of its layers' caches that do not hold all positions.
        state: The one among them that holds no position at all; a state can't go back, but others can be cut.
    """
    keys, need = "", set[str]()
    if cut.guesses or cut.kv_direct:
        keys, need = "lookup, draft and kv_direct", forgetful
    if cut.changes_cache and forgetful - {state}:
        keys, need = "kv_keep and kv_bits", forgetful - {state}
    if need:
        raise RequestError(
            f"{info.backend}: {keys} need layers that hold all positions, but {info.architecture!r} has "
            f"{', '.join(sorted(need))}",
            fix="leave them out for this model",
        )
    if unread := [layer for layer in keys_read_by_others(folder) if not cut.attends(layer)]:
        raise RequestError(
            f"{info.backend}: the cut leaves out the attention of layer {min(unread)}, whose keys and values "
            f"later layers of {info.architecture!r} read",
            fix="leave out another layer",
        )
    if (cut.changes_cache or cut.kv_direct) and folder.config.get("kv_lora_rank"):
        raise RequestError(
            f"{info.backend}: kv_keep and kv_bits need keys and values by head, but {info.architecture!r} "
            "keeps a compressed form of them (multi-head latent attention)",
            fix="leave them out for this model",
        )
    if (bits := cut.cache_bits) and (width := heads_of(folder).key_width) % bits.group:
        raise RequestError(
            f"{info.backend}: kv_group_size = {bits.group} does not divide the {width} numbers of a head",
            fix="set kv_group_size to " + " or ".join(str(g) for g in GROUPS if not width % g)
            if width % GROUPS[0] == 0
            else "leave kv_bits out for this model",
        )


def check_prefix(cut: Cut, info: BackendInfo, forgetful: set[str]) -> None:
    """Raise `RequestError` where the cache of the beginning of a prompt is no beginning of its cache.

    Args:
        cut: Any.
        info: Of the model.
        forgetful: As of `check_cache`.
    """
    if forgetful:
        raise RequestError(
            f"{info.backend}: prompt_cache needs layers that hold all positions, but {info.architecture!r} "
            f"has {', '.join(sorted(forgetful))}",
            fix="leave it out for this model",
        )
    if looks_at_attention(cut) or cut.cache_bits or cut.kv_direct:
        policy = f"kv_policy = {cut.kv_policy}"
        key = "kv_bits" if cut.cache_bits else "kv_direct" if cut.kv_direct else policy
        raise RequestError(
            f"{info.backend}: prompt_cache keeps the beginning of a prompt as it was computed, but {key} "
            "depends on all of the prompt",
            fix="leave one of them out",
        )


def try_cut(backend: Backend, cut: Cut) -> None:
    """Run a few tokens under a cut that is ready.

    Raises:
        BackendError: It can't run; by the name of the model's type and of the keys of the cut.
    """
    info = backend.info
    snaps = cut.kv_keep < 1 and cut.kv_policy == "snapkv"
    tokens = max(cut.snapkv_window if snaps else 0, cut.kv_hot + 2 if cut.kv_direct else 0, _TOKENS)
    if info.context is not None and tokens >= info.context:
        return  # no prompt is long enough, which every request is told
    with by_name(info, cut):
        backend.decode(backend.prefill([0] * tokens, cut), max_new_tokens=2, ignore_eos=True)


def in_one_line(said: str) -> str:
    """What a library said, on one line and not too long."""
    return textwrap.shorten(said, 300, placeholder=" ...")


@contextmanager
def by_name(info: BackendInfo, cut: Cut) -> Iterator[None]:
    """Turn what a library raises into a `ModelError` with the model's type and the keys of the cut."""
    try:
        yield
    except BackendError:
        raise
    except Exception as error:
        asked = ", ".join(cut.model_dump(exclude_defaults=True))
        said = in_one_line(f"{type(error).__name__}: {error}")
        raise ModelError(
            f"{info.backend} can't run {info.architecture!r} with {asked} ({said})",
            fix="leave it out for this model",
        ) from error
