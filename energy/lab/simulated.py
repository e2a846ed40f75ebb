"""A stand-in for powermetrics, run and read exactly as powermetrics is.

    python -m energy.lab.simulated -f plist -b 0 -i 100 -n 600 -s cpu_power
        --watch-descendants-of PID --truth FILE

It takes the real tool's command line and writes the real tool's stream, late and jittered as the real one,
so everything between a meter and a joule figure runs unchanged on a machine without a meter. Its power is
known: idle watts plus a constant times the CPU time of the processes that it watches, late after a rest as on
real Macs; the exact joules go to a truth file. What it prints is no measurement and is marked as simulated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from energy.base import EnergySource
from energy.powermetrics import PowermetricsSource, Program

TRUTH = "power.truth"
"""Name of the truth file in the run folder."""


def simulated(
    *,
    idle_w: float = 2.0,
    watts_per_core: float = 4.0,
    onset_ms: float = 27.0,
    response_ms: float = 3.0,
    lag_ms: float = 0.0,
    interval_ms: int = 100,
    seed: int = 0,
    fault: str | None = None,
    own_process: bool = False,
) -> EnergySource:
    """A stand-in for powermetrics with a known truth, for trying out and for tests.

    Args:
        idle_w: watts with nothing running, e.g. 2.0.
        watts_per_core: watts of one core kept busy by a descendant of this process, e.g. 4.0.
        onset_ms: by how much power rises late after a rest, as real Macs show it, e.g. 27.0.
        response_ms: time constant with which power follows the work, e.g. 3.0.
        lag_ms: by how much the meter shows all of it late, e.g. 10.0.
        interval_ms: milliseconds between readings asked for, e.g. 100.
        seed: of the jitter, e.g. 0.
        fault: what is to go wrong, and how many seconds after the start, e.g. "death@20".
        own_process: let this process draw power too, as where the work is done in it, e.g. false.
    """

    def own_arguments(folder: Path) -> list[str]:
        return [
            *("--watch-descendants-of", str(os.getpid()), "--truth", str(folder.resolve() / TRUTH)),
            *("--idle-w", repr(idle_w), "--watts-per-core", repr(watts_per_core), "--seed", str(seed)),
            *("--onset-ms", repr(onset_ms), "--response-ms", repr(response_ms), "--lag-ms", repr(lag_ms)),
            *(("--fault", fault) if fault else ()),
            *(("--watch-itself",) if own_process else ()),
        ]

    meter = Program(
        name="simulated",
        kind="simulated",
        command=(sys.executable, "-P", "-m", "energy.lab.simulated"),
        needs_root=False,
        own_arguments=own_arguments,
    )
    return PowermetricsSource(meter, interval_ms=interval_ms)


if __name__ == "__main__":
    import signal

    from energy.lab.standin import main

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # it dies of its closed pipe, as the real tool does
    main(sys.argv[1:])
