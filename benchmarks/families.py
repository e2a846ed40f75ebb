"""What runs of every type of decoder: architecture x backend x {run, chat, sweep, each cut}.

    python -m benchmarks.families [TYPE ...]

The models are tiny, random and made here. A cell says `=` where it ran and gave what it has to: in `run` and
`chat` the tokens of the library's own greedy loop, in a cut those of the other backend; `ran` where no other
backend made the cut; `no` where it was refused by name. Whatever else happens is an error, and the exit code
is 1. Why something was refused stands below the table.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import mlx.core as mx
import torch
from mlx_lm.generate import generate_step
from mlx_lm.models.cache import make_prompt_cache
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from backends.base import Backend, BackendError, Generated
from backends.cut import FULL, Cut
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch
from tests.families import FAMILIES, save_tiny

IDS = [5, 9, 30, 77, 41, 12, 200, 33, 8, 8, 9, 100]
NEW = 4
CHAT = [{"role": "user", "content": "Joules, not watts."}]
TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
CUTS = {
    "drop_attention": Cut(drop_attention=(1,)),
    "drop_mlp": Cut(drop_mlp=(0,)),
    "drop_blocks": Cut(drop_blocks=(0,)),
    "mlp_keep": Cut(mlp_keep=0.5, mlp_policy="largest_norm"),
    "weight_bits 16": Cut(weight_bits=16),
    "weight_bits 8": Cut(weight_bits=8),
    "weight_bits 4": Cut(weight_bits=4),
    "window": Cut(kv_keep=0.5),
    "sinks_window": Cut(kv_keep=0.5, kv_policy="sinks_window"),
    "heavy_hitters": Cut(kv_keep=0.5, kv_policy="heavy_hitters"),
    "snapkv": Cut(kv_keep=0.5, kv_policy="snapkv", snapkv_window=4),
    "kv_bits": Cut(kv_bits=8, kv_group_size=32),
    "lookup": Cut(lookup=True),
}
ROUNDS = ("weight_bits 16", "weight_bits 8", "weight_bits 4", "kv_bits")
"""Each library rounds in its own way, so tokens may differ."""
OTHER_ACTIVATION = ("gemma", "starcoder2", "gpt_neox")
"""mlx-lm approximates it in another way than transformers."""
OTHER_MODEL = ("glm", "ernie4_5_moe")
"""mlx-lm computes something else than transformers; each is held against its own library alone."""
LOADERS: dict[str, Callable[[Path], Backend]] = {
    "torch": lambda folder: on_torch.load(folder=folder, device="cpu"),
    "mlx": lambda folder: on_mlx.load(folder=folder),
}
HEADINGS = ("run", "chat", "sweep", *CUTS)


@dataclass(kw_only=True)
class Walked:
    """One type on one backend."""

    family: str
    backend: str
    cells: dict[str, str] = field(default_factory=dict)
    """By heading: `=`, `ran`, `no`, or what went wrong."""
    why: dict[str, str] = field(default_factory=dict)
    """By heading, why it was refused."""
    given: dict[str, Any] = field(default_factory=dict)
    """By heading, what is compared between backends."""

    def note(self, heading: str, call: Callable[[], tuple[str, Any]]) -> None:
        """Fill in a cell."""
        try:
            self.cells[heading], self.given[heading] = call()
        except BackendError as error:
            self.cells[heading], self.why[heading] = "no", str(error)
        except Exception as error:
            self.cells[heading] = f"{type(error).__name__}: {error}"

    @property
    def failed(self) -> list[str]:
        """What neither ran as it has to nor was refused."""
        return [f"{key}: {cell}" for key, cell in self.cells.items() if cell not in ("=", "ran", "no")]


def open_both(folder: Path) -> dict[str, Backend | BackendError]:
    """The model of a folder on each backend, or why it was refused there."""
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    opened: dict[str, Backend | BackendError] = {}
    for name, load in LOADERS.items():
        try:
            opened[name] = load(folder)
        except BackendError as error:
            opened[name] = error
    return opened


def walk(family: str, folder: Path, opened: Mapping[str, Backend | BackendError]) -> list[Walked]:
    """Everything of one type, whose tiny model lies in a folder, on both backends."""
    walked = [_on(family, name, folder, backend) for name, backend in opened.items()]
    _compare(*walked)
    return walked


def _on(family: str, name: str, folder: Path, backend: Backend | BackendError) -> Walked:
    walked = Walked(family=family, backend=name)
    if isinstance(backend, BackendError):
        walked.cells = dict.fromkeys(HEADINGS, "no")
        walked.why["run"] = str(backend)
        return walked
    own = {"torch": _own_of_torch, "mlx": _own_of_mlx}[name](backend, folder)
    walked.note("run", lambda: _same(_run(backend, IDS).tokens, own(IDS)))
    walked.note("chat", lambda: _chat(backend, folder, own))
    walked.note("sweep", lambda: ("ran", _redundancy(backend)))
    for heading, cut in CUTS.items():
        walked.note(heading, partial(_under, backend, cut))
    return walked


def _run(backend: Backend, ids: list[int], cut: Cut = FULL) -> Generated:
    backend.ready(cut)
    return backend.decode(backend.prefill(ids, cut), max_new_tokens=NEW, ignore_eos=True)


def _same(tokens: Any, own: Any) -> tuple[str, Any]:
    return ("=" if tokens == own else f"{tokens} for {own}"), tokens


def _chat(backend: Any, folder: Path, own: Callable[[list[int]], list[int]]) -> tuple[str, Any]:
    ids = backend.encode_chat(CHAT, {})
    known = AutoTokenizer.from_pretrained(folder)
    expected = known.apply_chat_template(CHAT, add_generation_prompt=True, return_dict=False)
    return _same((ids, _run(backend, ids).tokens), (expected, own(expected)))


def _redundancy(backend: Backend) -> Any:
    found = backend.redundancy(IDS)
    parts = found.attention, found.mlp, found.block
    return [[change if change is None else round(change, 3) for change in part] for part in parts]


def _under(backend: Backend, cut: Cut) -> tuple[str, Any]:
    generated, shape = _run(backend, IDS, cut), backend.shape(cut)
    used = generated.used
    return "ran", (generated.tokens, used and used.mlp_units, shape and shape.weights)


def _own_of_torch(_: Any, folder: Path) -> Callable[[list[int]], list[int]]:
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def own(ids: list[int]) -> list[int]:
        made = model.generate(torch.tensor([ids]), max_new_tokens=NEW, do_sample=False, eos_token_id=None)
        return made[0, len(ids) :].tolist()  # type: ignore[no-any-return]

    return own


def _own_of_mlx(backend: Any, _: Path) -> Callable[[list[int]], list[int]]:
    model = backend._model

    def own(ids: list[int]) -> list[int]:
        steps = generate_step(mx.array(ids), model, max_tokens=NEW, prompt_cache=make_prompt_cache(model))
        return [int(token) for token, _ in steps]

    return own


def _compare(one: Walked, other: Walked) -> None:
    """Hold what both made against each other."""
    unlike = one.family in (*OTHER_ACTIVATION, *OTHER_MODEL)
    for heading in ("sweep", *CUTS):
        if heading not in one.given or heading not in other.given or heading in ROUNDS or unlike:
            continue
        said = "=" if one.given[heading] == other.given[heading] else "not as the other backend"
        one.cells[heading] = other.cells[heading] = said


def _rows(families: list[str]) -> Iterator[Walked]:
    with tempfile.TemporaryDirectory() as scratch:
        for family in families:
            folder = save_tiny(family, Path(scratch) / family)
            opened = open_both(folder)
            yield from walk(family, folder, opened)
            for backend in opened.values():
                if not isinstance(backend, BackendError):
                    backend.close()


def main(families: list[str]) -> int:
    """Print the table, and below it why something was refused."""
    torch.set_num_threads(1)
    rows = list(_rows(families or list(FAMILIES)))
    table = Table("type", "backend", *HEADINGS)
    for row in rows:
        table.add_row(row.family, row.backend, *(row.cells[heading] for heading in HEADINGS))
    console = Console(width=230)
    console.print(table)
    for row in rows:
        for heading, why in row.why.items():
            console.print(f"{row.family} on {row.backend}, {heading}: {why}", markup=False, highlight=False)
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
