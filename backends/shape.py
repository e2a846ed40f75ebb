"""Sizes of a loaded model, counted at its matrices; from them the ledger knows what a forward reads.

File sizes would not do: they hold the embedding table, of which a token reads one row, and know
nothing of a cut. A backend counts the tensors that it will really use.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from backends.kv_bits import KvBits


@dataclass(frozen=True, kw_only=True)
class KeptState:
    """What layers keep of one row beside keys and values, as long as it may be: of convolutions and scans."""

    bytes: int = 0
    numbers: int = 0
    """Of the scans: each is renewed and read out by every token."""


NO_STATE = KeptState()


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """One decoder layer; a part that is left out has zeros."""

    attention_weights: int
    """Elements of its matrices: each is one multiply-add per token."""
    attention_bytes: int
    """Of matrices and biases, with the scales where they are quantised."""
    mlp_weights: int
    """Of all that every token passes: an MLP, or a router and shared experts."""
    mlp_bytes: int
    mlp_units: int
    """Of an MLP; where there are experts in its place, how many of them."""
    norm_bytes: int
    """Of norms, and of all else that a forward reads in this layer."""
    other_weights: int = 0
    """Elements of what is neither attention nor MLP: what makes a state."""
    routed: int = 0
    """Experts that a token is sent to; 0: there are none."""
    expert_weights: int = 0
    """Elements of one expert."""
    expert_bytes: int = 0
    window: int | None = None
    """Positions that its attention sees at most, its own included; None: all."""

    @property
    def attends(self) -> bool:
        """Whether its attention runs."""
        return self.attention_weights > 0

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights that a forward of one token reads."""
        return self.attention_bytes + self.mlp_bytes + self.norm_bytes + self.routed * self.expert_bytes

    @property
    def token_weights(self) -> int:
        """Elements of the matrices that a token is multiplied with."""
        always = self.attention_weights + self.mlp_weights + self.other_weights
        return always + self.routed * self.expert_weights

    def more_expert_bytes(self, experts: int) -> int:
        """What a forward reads beyond one of one token, if its tokens are sent to so many experts."""
        return (experts - self.routed) * self.expert_bytes


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A model under one cut."""

    layers: tuple[LayerShape, ...]
    head_weights: int
    """Elements of the output head."""
    head_bytes: int
    """Of the output head and the final norm."""
    row_bytes: int
    """What a token reads of the embedding tables: one row of each."""
    heads: int
    kv_heads: int
    head_dim: int
    number_bytes: int
    """Of one number in the cache."""
    width: int = 0
    """Numbers of a position in the residual stream."""
    held_bytes: int | None = None
    """Of all weights in memory: embedding tables whole, all experts, and what layers share once. None where
    nobody counted them."""
    cache_bits: KvBits | None = None
    """Of the numbers in the cache once they are stored in fewer."""
    cache_is_cast: bool = False
    """Whether such a cache is cast as a whole before every use, which writes it once as it was loaded."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that a forward of one token reads, the embedding rows apart."""
        return sum(layer.weight_bytes for layer in self.layers) + self.head_bytes

    @property
    def position_bytes(self) -> int:
        """Bytes of the key and the value of one position in one layer."""
        return 2 * self.kv_heads * self.head_dim * self.number_bytes

    @property
    def stored_position_bytes(self) -> float:
        """The same as a later forward takes it from the cache: in few bits, with scales and biases.

        Where it is cast, the bytes of the cast are added.
        """
        if self.cache_bits is None:
            return self.position_bytes
        stored = self.cache_bits.position_bytes(self.kv_heads * self.head_dim, self.number_bytes)
        return stored + self.position_bytes if self.cache_is_cast else stored

    @property
    def windows(self) -> Counter[int | None]:
        """How many of the layers whose attention runs see so many positions."""
        return Counter(layer.window for layer in self.layers if layer.attends)

    @property
    def layer_weights(self) -> int:
        """Elements of the matrices of all layers that a token is multiplied with."""
        return sum(layer.token_weights for layer in self.layers)
