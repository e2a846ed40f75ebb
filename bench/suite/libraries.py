"""What backends say of themselves (`backends.about`), by name; no library is imported here.

What needs the library is done by a process of its own:

    python -P -m bench.suite.libraries BACKEND gpu_works | keep_gpu_busy
    python -P -m bench.suite.libraries BACKEND write_tiny MODEL_FOLDER OUT_FOLDER
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from analysis.words import counted
from backends.about import ABILITIES, Ability, About, about_of
from backends.base import MissingLibrary
from backends.installing import pip
from bench import lifeline
from bench.errors import UserError, nearest
from bench.suite import plugins
from energy import machine

Task = Literal["gpu_works", "keep_gpu_busy", "write_tiny"]


def about(backend: str) -> About:
    """What a backend says of itself.

    Raises:
        UserError: nothing of that name is installed, or it can't be imported.
    """
    return about_of(plugins.check_options("backends", backend, ()))


def ranks(backend: str, options: dict[str, Any]) -> int:
    """Processes that run a model of a backend together: several where these options split it."""
    given = plugins.check_values("backends", backend, options)
    usual = inspect.signature(plugins.load("backends", backend)).parameters.get("ranks")
    return int(given.get("ranks", usual.default)) if usual and given.get("split") else 1


def every() -> dict[str, About]:
    """What every installed backend says of itself, by name."""
    return {name: about(name) for name in plugins.names("backends")}


def usual(count: int) -> tuple[str, ...]:
    """So many backends that can run a model here: the usual one of such a machine, then what lacks nothing.

    Raises:
        UserError: there are fewer.
    """
    first = "mlx" if machine.runs_on_apple_silicon() else "torch"
    here = {name: said for name, said in every().items() if said.needs and not said.missing}
    if len(here) < count:
        raise UserError(
            f"{counted(count, 'backend')} that can run a model needed, but {len(here)} can here",
            fix=f"type: {pip('install', 'joulebench[all]')}",
        )
    return tuple(sorted(here, key=lambda name: (name != first, len(here[name].lacks)))[:count])


def packages() -> tuple[str, ...]:
    """Distributions whose versions can change the numbers of some backend."""
    return tuple(dict.fromkeys(package for said in every().values() for package in said.packages))


def weight_files(backends: Iterable[str]) -> tuple[str, ...]:
    """Patterns of the weight files that these backends read."""
    return tuple(dict.fromkeys(pattern for name in backends for pattern in about(name).weight_files))


def require(*modules: str, what: str, extra: str) -> None:
    """Refuse to go on without modules that `what` needs, and that an extra of this distribution brings.

    Raises:
        UserError: one is not installed; with what to type.
    """
    _refuse_without(About(needs=modules, install=f"joulebench[{extra}]"), what)


def check(backend: str, dtypes: Iterable[str], *, needs: Iterable[Ability] = ()) -> None:
    """Refuse a backend whose library is not here, or that does not offer one of `dtypes` or of `needs`.

    Raises:
        UserError: with what to install, the dtypes that it has, or the backends that can do it.
    """
    said = about(backend)
    for ability in needs:
        if ability in said.lacks:
            able = [name for name, other in every().items() if other.needs and ability not in other.lacks]
            raise UserError(
                f"backend {backend!r} can't {ABILITIES[ability]}", fix=f"use {' or '.join(able)} for that"
            )
    _refuse_without(said, f"backend {backend!r}")
    for dtype in dtypes:
        if dtype not in said.logit_tolerance:
            hint = nearest(dtype, said.logit_tolerance)
            raise UserError(f"backend {backend!r} has no dtype {dtype!r}", fix=hint)


def logit_tolerance(backends: Iterable[str], dtype: str) -> float:
    """How far apart rounding may bring the logits of these backends, as a share of their size."""
    return max(about(name).logit_tolerance[dtype] for name in backends)


def gpu_backend() -> str | None:
    """The first backend that can load the GPU of this machine; None where none can."""
    usable = [name for name, said in every().items() if said.tools and said.gpu and not said.missing]
    return usable[0] if usable else None


def without_unused(backend: str) -> None:
    """From now on this process, which is one backend's, can't import what the backend has no use for."""
    sys.modules |= dict.fromkeys(about(backend).unused)  # type: ignore[arg-type]


def allow_unused(backend: str) -> None:
    """End that, once the backend's libraries have looked: others, such as scipy, take None for a module."""
    for name in about(backend).unused:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]


def command(backend: str, task: Task, *folders: Path) -> list[str]:
    """What runs one of a backend's tools; one without an end ends when its standard input, a pipe, closes."""
    module, arguments = "bench.suite.libraries", [backend, task, *map(str, folders)]
    if task == "keep_gpu_busy":
        return lifeline.command(0, module, *arguments)
    return [sys.executable, "-P", "-m", module, *arguments]


def _refuse_without(said: About, what: str) -> None:
    try:
        said.require()
    except MissingLibrary as error:
        raise UserError(f"{what} {error.what}", fix=error.fix) from None


def _run(backend: str, task: str, folders: list[Path]) -> None:
    without_unused(backend)
    make = about(backend).tools
    if make is None:
        raise SystemExit(f"backend {backend!r} brings no tools")
    tools = make()
    if task == "write_tiny":
        tools.write_tiny(*folders)
    elif task == "keep_gpu_busy":
        tools.keep_gpu_busy()
    else:
        print(tools.gpu_works())


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2], [Path(folder) for folder in sys.argv[3:]])
