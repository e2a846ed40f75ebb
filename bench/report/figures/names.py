"""The figures of a run by name; cheap, so that completion is there in a blink."""

from __future__ import annotations

STORY = (
    *("power", "joules-per-token", "savings", "where", "quality"),
    *("drift", "thermal", "routing", "roofline"),
)
"""The project's own, in the order in which they tell a run's story; others follow by name."""


def names() -> list[str]:
    """Every figure that is installed."""
    from importlib.metadata import entry_points  # a tenth of what `bench --help` takes

    known = {point.name for point in entry_points(group="bench.figures")}
    return sorted(known, key=lambda name: (STORY.index(name) if name in STORY else len(STORY), name))
