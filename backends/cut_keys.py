"""The keys of a cut, without what checks their values; cheap, so that completion is there in a blink."""

from __future__ import annotations

GROUP = "bench.cuts"
"""Entry points of the keys that packages add; see `backends.added`."""
DROPS = ("drop_attention", "drop_mlp", "drop_blocks")
"""The project's own keys whose value is a list of layers."""
CACHE = ("kv_keep", "kv_bits", "kv_bits_k", "kv_bits_v", "kv_direct")
"""Of those below, what is about the cache."""
STRENGTHS = (*CACHE, "mlp_keep", "weight_bits", *DROPS, "lookup", "draft")
"""The project's own keys that say how much is left out; its others say which part."""


def added_keys() -> list[str]:
    """Keys that installed packages add."""
    from importlib.metadata import entry_points  # a tenth of what `bench --help` takes

    return sorted({point.name for point in entry_points(group=GROUP)})
