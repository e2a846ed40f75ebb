"""Why two backends compute something else: what the difference comes and goes with.

Each test takes something away that one kind of fault needs. A single token has no other place to be at and
nothing but itself to attend to, so a fault of positions or masks is gone; without the MLPs a fault of the
activation is gone; a prompt of a few tokens is shorter than any window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backends.cut import FULL, Cut
from bench.show.words import share_percent

FEW = 16
"""Tokens of a prompt that no window cuts."""
GONE = 0.1
"""A difference that has become smaller than this share of what it was is gone."""
_ABOUT = 4.0
"""Two differences of one cause are within this factor of each other."""
_ACTIVATIONS = ("hidden_act", "hidden_activation", "activation_function")
_POSITIONS = (
    *("rope_theta", "rope_parameters", "rope_scaling", "rope_local_base_freq", "rotary_emb_base"),
    *("partial_rotary_factor", "rotary_pct"),
)

HowFar = Callable[[list[int], Cut], float]
"""How far apart two backends are on a prompt under a cut; infinite where one can't make the cut."""


def likely_cause(
    how_far: HowFar,
    ids: list[int],
    *,
    apart: float,
    layers: int,
    config: Mapping[str, object],
    rounded: float | None = None,
) -> str:
    """What two backends are likely to compute differently, in words.

    Args:
        how_far: asks both.
        ids: the prompt on which they differ.
        apart: by how much.
        layers: of the model that is asked.
        config: of the model's folder.
        rounded: how far products with the bits of TF32 move the logits; None if that is not known.
    """

    def is_gone(short: list[int], cut: Cut = FULL) -> bool:
        return how_far(short, cut) <= GONE * apart

    if not is_gone(ids[:1]):
        if is_gone(ids[:1], Cut(drop_mlp=tuple(range(layers)))):
            stated = _stated(config, _ACTIVATIONS)
            return f"it is gone without the MLPs: one of them computes the activation{stated} otherwise"
        if rounded is not None and rounded / _ABOUT <= apart <= rounded * _ABOUT:
            return (
                "a single token shows it, and they are as far apart as products with 10 bits of mantissa "
                f"bring them ({share_percent(rounded)}): one of them multiplies float32 in TF32"
            )
        return "a single token shows it, without the MLPs too: norms, scales or weights"
    if len(ids) > FEW and is_gone(ids[:FEW]):
        window = config.get("sliding_window")
        what = (
            f"one of them ignores sliding_window = {window}"
            if isinstance(window, int) and window < len(ids)
            else "a window or scaled positions"
        )
        return f"the first {FEW} tokens don't show it, all {len(ids)} do: {what}"
    return f"a single token doesn't show it, several do: positions{_stated(config, _POSITIONS)}"


def _stated(config: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """What the config says of it: ` (rope_theta = 10000.0)`."""
    said = [f"{key} = {config[key]}" for key in keys if config.get(key) is not None]
    return f" ({', '.join(said)})" if said else ""
