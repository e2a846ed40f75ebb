"""The conductor: suite, gates, plan, workers, run, store, command line.

`from bench import measure` gives joules of any Python code: `with measure() as m: ...`, then `m.joules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.run.measuring import measure as measure

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "measure":  # imported when it is asked for, so that `import bench` costs nothing
        from bench.run.measuring import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
