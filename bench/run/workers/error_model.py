"""How far apart rounding may bring the logits of a model: measured on the model, not agreed on.

A device multiplies with fewer bits than its numbers have: half precision does, and so does TF32, which some
call float32 (MLX on an M5 from macOS 26.2 on). How much that changes depends on the model. So one backend
computes two prompts in float32 on the CPU, once as they are and once with the inputs of every product rounded
to so many bits; what lies between the two is what such products do to this model.

On 13 small random models and the embedded one, a model in half precision was 1.1 to 2.4 times as far from
float32 as its products alone would bring it, and two backends that round apart add up as the root of two
squares: 3.4 times at most. A wrong rope base brings more.

The reference is float32, because float64 would say the same: on the embedded model (prompts of 30 and 400
tokens) float32 on the CPU is 1.2e-6 to 1.9e-6 from float64, a thousandth of what products of 10 bits move
(1.8e-3 to 2.0e-3), and against float64 these move it by the same share to four digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS: Mapping[str, int] = {"float32": 10, "float16": 10, "bfloat16": 7}
"""Explicit bits of mantissa that go into a product at worst, by dtype: those of TF32 for float32."""
EXACT_BITS = 23
MARGIN = 4.0
"""Times as far as the products alone: two backends of which each rounds elsewhere too."""
MOST_PARAMETERS = 1_000_000_000
"""Of a model that is run on the CPU for this."""

Logits = NDArray[np.float32]
OnCpu = Callable[[list[int], list[int], int], Logits]
"""Logits on the CPU after each of some tokens, fed after a prompt, with so many bits in every product."""
Apart = Callable[[Logits, Logits], float]


@dataclass(frozen=True, kw_only=True)
class ErrorModel:
    """What was measured on one model."""

    exact: Logits
    """On the CPU, of the first prompt."""
    moved: dict[str, float]
    """By dtype, how far rounded products move the logits: the larger of both prompts."""

    def tolerance(self, dtype: str) -> float:
        """How far apart two backends may be in a dtype."""
        return MARGIN * self.moved[dtype]


def measure(
    on_cpu: OnCpu, prompts: Sequence[tuple[list[int], list[int]]], dtypes: set[str], *, apart: Apart
) -> ErrorModel:
    """Measure a model.

    Args:
        on_cpu: computes it.
        prompts: ids, and what is fed after them.
        dtypes: of `BITS`.
        apart: how far apart two logits are.
    """
    exact = [on_cpu(*prompt, EXACT_BITS) for prompt in prompts]
    moved: dict[str, float] = {}
    for bits in {BITS[dtype] for dtype in dtypes}:
        far = max(apart(one, on_cpu(*prompt, bits)) for one, prompt in zip(exact, prompts, strict=True))
        moved |= {dtype: far for dtype in dtypes if BITS[dtype] == bits}
    return ErrorModel(exact=exact[0], moved=moved)
