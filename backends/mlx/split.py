"""A model that several processes run together, each with its part; imported by `backends.mlx.load` only.

Every rank loads this and is asked the same things in the same order, as under `mlx.launch`: mlx-lm's models
exchange what they have to within their forwards (`mx.distributed`, over sockets), and all ranks hold the same
logits after each. `MLX_RANK` and `MLX_HOSTFILE` say who is who.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import gcd
from typing import Any, Literal

import mlx.core as mx

from backends.base import ModelError, RequestError
from backends.cut import FULL, Cut
from backends.folder import ModelFolder
from backends.mlx.decoder import MlxDecoder
from backends.shape import Shape
from backends.trial import in_one_line

How = Literal["tensor", "pipeline"]

_HEADS = {"num_attention_heads": "attention heads", "num_key_value_heads": "key-value heads"}


class SplitDecoder(MlxDecoder):
    """One rank's part of a model.

    Args:
        model: the whole, whose weights are not read yet.
        folder: of the model.
        how: `tensor` gives every rank a share of each matrix, `pipeline` some of the layers.
        ranks: number of processes.
        more: what `MlxDecoder` takes.

    Raises:
        ModelError: mlx-lm can't split it so, or other ranks are here than it is made for.
    """

    def __init__(self, model: Any, *, folder: ModelFolder, how: How, ranks: int, **more: Any) -> None:
        check_can_split(model, folder, how=how, ranks=ranks)
        world = _world(ranks)
        super().__init__(model, folder=folder, **more)
        self.info = replace(self.info, settings=self.info.settings | {"ranks": ranks})
        self._world = world
        try:
            if how == "tensor":
                model.shard(world)
            else:
                model.model.pipeline(world)
            mx.eval(model.parameters())
            mx.eval(model(mx.array([[0]])))
        except Exception as error:  # a model file raises what it likes
            raise ModelError(
                f"mlx-lm can't run {folder.architecture!r} as {how} over {ranks} ranks: "
                f"{in_one_line(f'{type(error).__name__}: {error}')}",
                fix="run it on one: leave split out",
            ) from error

    def synchronize(self) -> None:
        """Return when no rank has anything left to do: after the same barrier on all of them."""
        super().synchronize()
        mx.eval(mx.distributed.all_sum(mx.array(1.0), group=self._world, stream=mx.cpu))

    def ready(self, cut: Cut) -> None:
        """Refuse what would leave a part out: parts are not where a cut looks for them."""
        if not cut.is_full:
            raise RequestError("a model that is split runs whole", fix="leave its cuts out, or run it on one")
        super().ready(cut)

    def shape(self, cut: Cut = FULL) -> Shape | None:
        """Not known: what all ranks read together, and what they send each other, is not counted."""
        return None


def check_can_split(model: Any, folder: ModelFolder, *, how: How, ranks: int) -> None:
    """Raise `ModelError` where mlx-lm has no such split for a model, or its parts don't come out even."""
    can = {"tensor": hasattr(model, "shard"), "pipeline": hasattr(getattr(model, "model", None), "pipeline")}
    if not can[how]:
        other = next((f"split it as {name}" for name, has in can.items() if has), "run it on one")
        raise ModelError(f"mlx-lm can't split {folder.architecture!r} as {how}", fix=other)
    if how == "pipeline" and folder.layers < ranks:
        raise ModelError(f"{folder.layers} layers are too few for {ranks} ranks", fix="use fewer ranks")
    if how == "tensor":
        _check_even(folder.config, ranks)


def _check_even(config: Mapping[str, Any], ranks: int) -> None:
    heads = {words: config[key] for key, words in _HEADS.items() if config.get(key)}
    for words, count in heads.items():
        if count % ranks:
            most = gcd(*heads.values())
            fits = ", ".join(str(n) for n in range(2, most + 1) if most % n == 0)
            raise ModelError(
                f"{count} {words} can't be shared evenly by {ranks} ranks",
                fix=f"use ranks = {fits}" if fits else "split it as pipeline, or run it on one",
            )


def _world(ranks: int) -> Any:
    """All ranks of this process.

    Raises:
        ModelError: they can't be reached, or are not as many as is asked for.
    """
    try:
        world = mx.distributed.init(backend="ring")
    except RuntimeError as error:
        raise ModelError(
            f"the {ranks} ranks can't reach each other: {in_one_line(str(error))}", fix="start it again"
        ) from error
    if world.size() != ranks:
        raise ModelError(
            f"{ranks} ranks are asked for, and {world.size()} run here", fix="only bench run starts ranks"
        )
    return world
