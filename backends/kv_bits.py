"""How many bits the numbers of a cache have; so many of them share a scale and a bias (`mx.quantize`).

Keys and values may differ, because keys need bits and values do not.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import AfterValidator, ValidationInfo

BITS = (8, 6, 5, 4, 3, 2)
BITS_APART = (8, 4)
GROUPS = (32, 64, 128)


class KvBits(NamedTuple):
    """Of a number of a key, of one of a value (None: as loaded), and how many share a scale and a bias."""

    keys: int | None
    values: int | None
    group: int

    def number_bytes(self, bits: int | None, loaded: int) -> float:
        """Bytes of a number with its share of scale and bias, of `loaded` bytes each."""
        return loaded if bits is None else bits / 8 + 2 * loaded / self.group

    def position_bytes(self, numbers: int, loaded: int) -> float:
        """Bytes of a key and a value of so many numbers each, of `loaded` bytes where they are as loaded."""
        return numbers * sum(self.number_bytes(bits, loaded) for bits in (self.keys, self.values))

    def __str__(self) -> str:
        keys, values = ("all their" if bits is None else bits for bits in (self.keys, self.values))
        return f"keys of {keys} and values of {values} bits"


def _one_of(value: int | None, info: ValidationInfo) -> int | None:
    by_key: dict[str, tuple[int, ...]] = {"kv_group_size": GROUPS, "kv_bits": BITS}
    offered = by_key.get(info.field_name or "", BITS_APART)
    if value is not None and value not in offered:
        raise ValueError(f"{info.field_name} = {value}; give one of {', '.join(map(str, offered))}")
    return value


Bits = Annotated[int | None, AfterValidator(_one_of)]
Group = Annotated[int, AfterValidator(_one_of)]
