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
    """Of the scans, which every token renews and reads out."""


NO_STATE = KeptState()


@dataclass(frozen=True, kw_only=True)
class Latent:
    """What is made of the one latent that a cache holds for all heads (multi-head latent attention)."""

    weights: int
    """Elements of the matrices that make keys and values of it. Nothing keeps what they give, so a forward
    multiplies them with every position that is attended to."""
    products: int | None
    """Multiply-adds of a query and a latent in all heads, where a forward of one token attends to latents as
    they are, and multiplies its query and what it gets with the matrices instead; None: none does."""


@dataclass(frozen=True, kw_only=True)
class Attention:
    """How the attention of a layer goes over the positions that it sees."""

    numbers: int
    """Of a position in the cache that it reads, its own or that of an earlier layer: the key and the value of
    all heads, or the latent of both."""
    products: int
    """Multiply-adds of a query and a key and value in all heads: a score and a weighted sum."""
    window: int | None = None
    """Positions that it sees at most, a token's own included; None: all."""
    latent: Latent | None = None


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
    attention: Attention | None = None
    """None: it runs without."""

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
    number_bytes: int
    """Of one number in the cache."""
    width: int = 0
    """Numbers of a position in the residual stream."""
    scan_products: int = 2
    """Multiply-adds of a token and a number of a scan (`KeptState.numbers`)."""
    beside_weights: int = 0
    """Elements of what every token passes beside the layers: what makes an input for each of them."""
    beside_bytes: int = 0
    held_bytes: int | None = None
    """Of all weights in memory: embedding tables whole, all experts, and what layers share once. None where
    nobody counted them."""
    cache_bits: KvBits | None = None
    """Of the numbers in the cache once they are stored in fewer."""
    cache_is_cast: bool = False
    """Whether such a cache is cast as a whole before every use, which writes it once as it was loaded."""
    draft: Shape | None = None
    """Of the model that guesses tokens, where the cut has one that is counted."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that a forward of one token reads, the embedding rows apart."""
        return sum(layer.weight_bytes for layer in self.layers) + self.beside_bytes + self.head_bytes

    @property
    def attentions(self) -> Counter[Attention]:
        """How many layers go over what they see in the same way."""
        return Counter(layer.attention for layer in self.layers if layer.attention)

    @property
    def position_numbers(self) -> int:
        """Numbers of a position in the caches that all layers read."""
        return sum(count * attention.numbers for attention, count in self.attentions.items())

    @property
    def position_bytes(self) -> int:
        """The same in bytes, as it was loaded."""
        return self.position_numbers * self.number_bytes

    def read_bytes(self, attention: Attention, *, stored: bool) -> float:
        """Bytes of one position in the cache that an attention reads.

        Of one that is `stored` in few bits, with scales and biases; where it is cast, the cast is added.
        """
        loaded = attention.numbers * self.number_bytes
        if self.cache_bits is None or not stored:
            return loaded
        few = self.cache_bits.position_bytes(attention.numbers // 2, self.number_bytes)
        return few + loaded if self.cache_is_cast else few

    @property
    def weights(self) -> int:
        """Elements of the matrices that every token is multiplied with, the output head apart."""
        return sum(layer.token_weights for layer in self.layers) + self.beside_weights
