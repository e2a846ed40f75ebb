"""What a backend says of itself before a model is loaded, without its library being imported.

A backend is an entry point: a factory with keyword arguments. `@about(...)` puts the rest on that factory.
All of it is optional: a factory without it needs nothing, records no versions and reads safetensors in three
dtypes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol, TypeVar

from backends.base import MissingLibrary

Factory = TypeVar("Factory", bound=Callable[..., Any])

BUSY_SIDE = 4096
"""Side of the matrices that keep a GPU busy."""
LOGIT_TOLERANCE = {"float32": 5e-3, "float16": 5e-2, "bfloat16": 2e-1}
"""How far apart rounding may bring logits, as a share of their size (root mean squares), by dtype, where
`bench.run.workers.error_model` can't measure it on the model.

Measured on 30 types of small random models and the embedded model: at most 3e-6, 1.4e-2 and 3e-2. Float32
has room for matrices that a GPU multiplies in fewer bits (TF32 on an M5), and for an activation that one
library approximates (2e-4 for GELU by a hyperbolic tangent). A wrong rope base makes more than 3e-2."""


Ability = Literal[
    "cuts",
    "layers",
    "logits",
    "hidden",
    "redundancy",
    "probes",
    "batches",
    "prompt_cache",
    "kv_bits",
    "token_ids",
]
"""What not every backend can do; `ABILITIES` says it in words."""
ABILITIES: Mapping[Ability, str] = {
    "cuts": "leave parts of a model out",
    "layers": "keep only the first layers of a model",
    "logits": "give logits",
    "hidden": "give hidden states",
    "redundancy": "compare the layers of a model",
    "probes": "run the isolation's probes",
    "batches": "run several requests at a time",
    "prompt_cache": "compute what prompts begin with once (generation.prompt_cache)",
    "kv_bits": "keep its cache in few bits (kv_bits)",
    "token_ids": "give token ids, which gates look at and prompts of so many tokens are cut by",
}


class Tools(Protocol):
    """What a library does for the harness without a loaded model. A module will do."""

    def gpu_works(self) -> bool:
        """Whether it reaches the GPU of this Mac."""

    def keep_gpu_busy(self) -> NoReturn:
        """Load the GPU for the self-test of a meter, until the process is ended."""

    def write_tiny(self, source: Path, out: Path) -> None:
        """Write, from one model folder into another, the same layers at a tiny width (`backends.tiny`)."""


@dataclass(frozen=True, kw_only=True)
class About:
    """Every part is optional."""

    needs: tuple[str, ...] = ()
    """Modules that have to be importable."""
    install: str = "joulebench"
    """The requirement that brings them, such as `joulebench[torch]`."""
    packages: tuple[str, ...] = ()
    """Distributions whose versions can change the numbers; those that are installed are recorded."""
    weight_files: tuple[str, ...] = ("*.safetensors",)
    """Patterns of the weight files that it reads."""
    logit_tolerance: Mapping[str, float] = field(default_factory=lambda: LOGIT_TOLERANCE)
    """For every dtype that it offers, how far apart rounding may bring logits, as a share of their size.
    Where two backends are compared, the larger one holds."""
    dtype_of_file: bool = False
    """Whether the weight file alone says how its weights are stored, so that a suite's dtype is not used."""
    served: Callable[[str], None] | None = None
    """Of a backend whose models are in a server that is already there, at the url beside a model's name:
    raises ModelError for a url that it would not ask. None: the models are its own."""
    lacks: tuple[Ability, ...] = ()
    """What it can't do. Whatever needs it is refused before a model is loaded, and where logits are lacking,
    two backends are held against each other by token ids and forwards alone."""
    unused: tuple[str, ...] = ()
    """Modules that its libraries import where they are installed, and it has no use for: seconds of every
    start, and memory. A process of its own goes without."""
    at: str = "device"
    """The option that stands behind an @ in a backend's name, as in `torch@cpu`."""
    gpu: str | None = None
    """What it calls the GPU of a Mac, such as `MPS`."""
    tools: Callable[[], Tools] | None = None
    """Imports the library, and gives its tools."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules of `needs` that are not installed; nothing is imported to find out."""
        return tuple(module for module in self.needs if util.find_spec(module) is None)

    def require(self) -> None:
        """Raise `MissingLibrary` unless all that is needed is installed."""
        if self.missing:
            raise MissingLibrary(self.missing, self.install)

    def versions(self) -> dict[str, str]:
        """Versions of the packages that are installed."""
        by_package = {}
        for package in self.packages:
            try:
                by_package[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        return by_package


def about(what: About) -> Callable[[Factory], Factory]:
    """Mark the factory of a backend with what it says of itself."""

    def mark(factory: Factory) -> Factory:
        setattr(factory, _MARK, what)
        return factory

    return mark


def about_of(factory: Callable[..., Any]) -> About:
    """What a factory says of itself; the defaults if it says nothing."""
    return getattr(factory, _MARK, None) or About()


_MARK = "__about_backend__"
