"""What part of a model's work a request leaves out.

A cut is written in suites and given by gates, so it checks itself. It says what is asked for;
what was really left out is counted by the backend (`backends.base.Used`), and
`backends.guard` compares the two.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from backends.added import AddedCut, added_cut
from backends.cut_keys import added_keys
from backends.direct import Variant
from backends.kv_bits import Bits, Group, KvBits

KvPolicy = Literal["window", "sinks_window", "heavy_hitters", "snapkv", "tova"]
MlpPolicy = Literal["first", "random", "largest_norm"]

MLP_UNITS_AT_LEAST = 32
"""Units that are always kept, as in the Redundancy Cliff paper (10.5281/zenodo.17902977)."""
GROUP = 64
"""Weights that share a scale. Quantised MLP matrices keep a multiple of so many units."""


def _fraction(value: float, info: ValidationInfo) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"{info.field_name} = {value:g}; give a fraction above 0 and at most 1")
    return value


def _at_least_one(value: int, info: ValidationInfo) -> int:
    if value < 1:
        raise ValueError(f"{info.field_name} = {value}; give 1 or more")
    return value


def _at_least_zero(value: int, info: ValidationInfo) -> int:
    if value < 0:
        raise ValueError(f"{info.field_name} = {value}; give 0 or more")
    return value


def _layers(value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
    if any(layer < 0 for layer in value):
        raise ValueError(f"{info.field_name} = {list(value)}; layers are numbered from 0")
    return tuple(sorted(set(value)))


def _bits(value: int | None) -> int | None:
    if value not in (None, 16, 8, 4):
        raise ValueError(f"weight_bits = {value}; give 16, 8 or 4")
    return value


Fraction = Annotated[float, AfterValidator(_fraction)]
Count = Annotated[int, AfterValidator(_at_least_one)]
Layers = Annotated[tuple[int, ...], AfterValidator(_layers)]


class Cut(BaseModel):
    """What is left out; the default leaves nothing out. Parts compose.

    Further keys are those that packages add (`backends.added`).

    Raises:
        ValueError: A value is out of range; one line with the value and the range.
    """

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    kv_keep: Fraction = 1.0
    """After a prefill of T tokens every layer keeps max(1, floor(kv_keep * T)) positions. They keep
    the positions they were given in the prompt."""
    kv_policy: KvPolicy = "window"
    """Which positions stay; see `backends.kv_policies`."""
    kv_sinks: Annotated[int, AfterValidator(_at_least_zero)] = 4
    """First positions that `sinks_window` keeps."""
    snapkv_window: Count = 32
    """Last prompt tokens whose attention `snapkv` looks at; it keeps them too."""
    kv_bounded: bool = False
    """Whether the policy chooses again after every decode step, so that the cache stays at the size that
    `kv_keep` gives it; over given tokens, where nothing is decoded, it changes nothing."""
    kv_bits: Bits = None
    """Bits of a number in the cache, from the end of the first chunk of the prompt on; None as loaded."""
    kv_bits_k: Bits = None
    """The same of keys alone."""
    kv_bits_v: Bits = None
    """The same of values alone."""
    kv_group_size: Group = 64
    """Numbers of the cache that share a scale and a bias."""
    kv_direct: Variant | None = None
    """From what keys and values are rebuilt in every step instead of kept; see `backends.direct`."""
    kv_hot: Count = 64
    """Newest positions that keep their keys and values with `kv_direct`."""
    mlp_keep: Fraction = 1.0
    """Of D units an MLP keeps max(32, floor(mlp_keep * D)), at most D."""
    mlp_policy: MlpPolicy = "first"
    """Which units stay; see `backends.units`."""
    mlp_seed: Annotated[int, AfterValidator(_at_least_zero)] = 0
    """Of `random`."""
    drop_attention: Layers = ()
    """Layers that run without attention, counted from 0."""
    drop_mlp: Layers = ()
    """Layers that run without their MLP."""
    drop_blocks: Layers = ()
    """Layers that are left out whole."""
    weight_bits: Annotated[int | None, AfterValidator(_bits)] = None
    """Bits of a weight in the matrices of the layers and the output head; None as loaded. Embedding
    rows, norms, biases, the cache and the residual stream stay as loaded."""
    lookup: bool = False
    """Guess tokens by copying from the text so far, several per forward; see `backends.lookup`."""
    lookup_rule: Literal["longest", "copyspec"] = "longest"
    """Which earlier place is copied from; see `backends.lookup`."""
    lookup_ngram: Count = 3
    """Last tokens that are looked for in the text: `longest` takes fewer too, `copyspec` just so many."""
    lookup_tokens: Count = 10
    """Tokens copied at most."""
    draft: Annotated[str, Field(min_length=1)] | None = None
    """Key of a smaller model of the suite, with the same tokens, that guesses; see `backends.drafting`."""
    draft_tokens: Count = 4
    """Tokens that it guesses at most before they are checked."""

    @model_validator(mode="before")
    @classmethod
    def _check_added(cls, given: Any) -> Any:
        """Values of keys that packages add, as those want them."""
        if not isinstance(given, dict):
            return given
        values, wrong = dict(given), list[InitErrorDetails]()
        for key in given.keys() - cls.model_fields.keys():
            try:
                values[key], _ = added_cut(key, given[key])
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                where = "".join(f"{part}: " for part in first["loc"])
                raised = first.get("ctx", {}).get("error", first["msg"])  # its own words, without pydantic's
                wrong.append(_wrong("value_error", f"{where}{raised}", key, given[key]))
            except ValueError as error:
                wrong.append(_wrong("value_error", str(error), key, given[key]))
            except KeyError:
                wrong.append(_wrong("extra_forbidden", "unknown key", key, given[key]))
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Cut:
        if self.kv_bounded and self.guesses:
            raise ValueError(
                f"kv_bounded chooses after every token, but {self.guesses[0]} feeds several: leave one out"
            )
        if self.kv_direct and (self.changes_cache or self.guesses or self.drop_attention or self.drop_blocks):
            raise ValueError(
                "kv_direct rebuilds the cache of every layer, token by token: leave kv_keep, kv_bits, "
                "lookup, draft, drop_attention and drop_blocks out"
            )
        apart = (self.kv_bits_k, self.kv_bits_v) != (None, None)
        if self.kv_bits is not None and apart:
            raise ValueError(f"kv_bits = {self.kv_bits} is of both: leave kv_bits_k and kv_bits_v out")
        if self.cache_bits is not None and self.kv_keep < 1:
            key = "kv_bits_k and kv_bits_v store" if apart else f"kv_bits = {self.kv_bits} stores"
            raise ValueError(f"{key} a whole cache: leave kv_keep out")
        return self

    @cached_property
    def added(self) -> tuple[AddedCut, ...]:
        """The cuts of packages that it has, by the order of their keys."""
        return tuple(added_cut(key, value)[1] for key, value in sorted((self.model_extra or {}).items()))

    @property
    def stated(self) -> dict[str, Any]:
        """What it leaves out, as JSON has it: keys that are not those of the whole model."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def without(self, key: str) -> Cut:
        """The same with nothing left out by `key`."""
        values = self.model_dump(exclude_defaults=True)
        values.pop(key, None)
        return Cut.model_validate(values)

    @property
    def is_full(self) -> bool:
        """Whether nothing is left out."""
        return not (self.changes_cache or self.guesses or self.kv_direct) and self.weights == FULL

    @property
    def guesses(self) -> tuple[str, ...]:
        """The keys that guess tokens, in the order in which they are tried; no guess changes a token."""
        return tuple(key for key in ("lookup", "draft") if getattr(self, key))

    @property
    def unguessed(self) -> Cut:
        """The same for tokens that are given: with nothing that guesses them."""
        return self.without("lookup").without("draft") if self.guesses else self

    @property
    def changes_cache(self) -> bool:
        """Whether the cache holds fewer positions, or its numbers in fewer bits."""
        return self.kv_keep < 1 or self.cache_bits is not None

    @property
    def cache_bits(self) -> KvBits | None:
        """Of the cache's numbers; None where all are as loaded."""
        keys, values = (self.kv_bits or bits for bits in (self.kv_bits_k, self.kv_bits_v))
        return None if keys is values is None else KvBits(keys, values, self.kv_group_size)

    @cached_property
    def weights(self) -> Cut:
        """The part that needs other weights, with nothing in it that changes nothing."""
        part: dict[str, object] = {
            **(self.model_extra or {}),
            "drop_attention": self.drop_attention,
            "drop_mlp": self.drop_mlp,
            "drop_blocks": self.drop_blocks,
            "weight_bits": self.weight_bits,
        }
        if self.mlp_keep < 1:
            part |= {"mlp_keep": self.mlp_keep, "mlp_policy": self.mlp_policy}
            if self.mlp_policy == "random":
                part["mlp_seed"] = self.mlp_seed
        return Cut.model_validate(part)

    @property
    def reads_less(self) -> bool:
        """Whether a forward is to read fewer bytes of weights."""
        own = self.weights.model_dump(include=set(Cut.model_fields), exclude_defaults=True)
        return bool(own) or any(part.reads_less for part in self.added)

    @property
    def holds_less(self) -> bool:
        """Whether fewer bytes of weights are to be in memory, while as many may be read."""
        return any(part.holds_less for part in self.added)

    def attends(self, layer: int) -> bool:
        """Whether the layer's attention runs."""
        dropped = layer in self.drop_attention or layer in self.drop_blocks
        return not dropped and all(part.attends(layer) for part in self.added)

    def has_mlp(self, layer: int) -> bool:
        """Whether the layer's MLP runs."""
        return layer not in self.drop_mlp and layer not in self.drop_blocks

    def positions_of(self, layer: int, tokens: int) -> int:
        """Positions that a layer's cache holds after a prefill of `tokens`."""
        held = self.kept_positions(tokens) if self.attends(layer) else 0
        held = min(held, self.kv_hot) if self.kv_direct else held
        for part in self.added:
            held = part.kept_positions(layer, held)
        return held

    def units_of(self, layer: int, units: int) -> int:
        """Units that stay of the `units` of a layer's MLP."""
        kept = self.kept_units(units) if self.has_mlp(layer) else 0
        for part in self.added:
            kept = part.kept_units(layer, kept)
        return kept

    def kept_positions(self, tokens: int) -> int:
        """Positions of the cache that stay of `tokens`."""
        return max(1, math.floor(self.kv_keep * tokens))

    def kept_units(self, units: int) -> int:
        """Units of an MLP that stay of `units`; a multiple of `GROUP` where scales are shared by so many."""
        if self.mlp_keep == 1:
            return units
        kept = max(MLP_UNITS_AT_LEAST, math.floor(self.mlp_keep * units))
        if self.weight_bits in (8, 4):
            kept = max(GROUP, kept // GROUP * GROUP)
        return min(units, kept)


def _wrong(
    kind: Literal["value_error", "extra_forbidden"], why: str, key: str, value: Any
) -> InitErrorDetails:
    known = [*Cut.model_fields, *added_keys()] if kind == "extra_forbidden" else []
    # Braces would be taken for places to fill in.
    error = PydanticCustomError(kind, "{why}", {"why": why, "known": known})
    return InitErrorDetails(type=error, loc=(key,), input=value)


FULL = Cut()
"""Nothing left out."""
