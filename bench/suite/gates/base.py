"""What a gate is.

A gate sees token ids and nothing else, so that whatever it saves can't come from looking at the text,
and its own time lies inside the measured window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from backends.cut import FULL as NO_CUT
from backends.cut import Cut


class Budget(BaseModel):
    """What one prompt gets."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: str = "full"
    """Key of a model of the suite."""
    max_new_tokens: int | None = Field(default=None, ge=1)
    """None: the suite's `generation.max_new_tokens`."""
    batch: int | None = Field(default=None, ge=1)
    """None: the suite's `generation.batch`."""
    prompt_cache: bool | None = None
    """None: the suite's `generation.prompt_cache`."""
    cut: Cut = NO_CUT
    """Work of that model that is left out, such as `{ kv_keep = 0.5 }`."""

    def caches_prompts(self, usual: bool) -> bool:
        """Whether it takes what prompts begin with from a cache; `usual` where it does not say."""
        return usual if self.prompt_cache is None else self.prompt_cache


FULL = Budget(model="full")
SMALL = Budget(model="small")


class Gate(Protocol):
    """A decision rule."""

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Every budget that `decide` can return; their models are loaded before anything is measured."""

    def decide(self, ids: Sequence[int]) -> Budget:
        """The budget for a prompt of these token ids (special tokens of the tokenizer included)."""


@runtime_checkable
class ControlGate(Protocol):
    """A gate that imitates another one's decisions without its reason; it sees the prompt set first."""

    @property
    def matches(self) -> str | None:
        """Label of the gate that it controls, or None."""

    def matched(self, controlled: Gate, prompts: Sequence[Sequence[int]]) -> Gate:
        """The control with the rate, or the distribution, of that gate on these prompts."""


@dataclass(frozen=True, kw_only=True)
class TwoWay:
    """A gate that sends a prompt to the small or to the full budget; a family says when."""

    full: Budget
    small: Budget

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Both of them."""
        return (self.full, self.small)

    def is_small(self, ids: Sequence[int]) -> bool:
        """Whether this prompt gets the small budget."""
        raise NotImplementedError

    def decide(self, ids: Sequence[int]) -> Budget:
        """The budget for a prompt of these token ids."""
        return self.small if self.is_small(ids) else self.full
