"""A child that ends when the process that started it is gone, however that one ended.

The parent holds one end of a pipe and never writes to it. A thread of the child waits for the other end to
close, which the kernel does even for a parent that was killed. A child in a long import may not get to run
that thread, and one that was stopped by a signal never does; where Linux offers to kill such a child, it is
asked to.

    python -P -m bench.lifeline DESCRIPTOR MODULE [ARGUMENT…]

runs a module as `python -m MODULE` does, watched from before its first import.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
"""Of <sys/prctl.h>: the signal that this process gets when the thread that started it ends."""


def command(descriptor: int, module: str, *arguments: str) -> list[str]:
    """What runs a module that ends with this process.

    Args:
        descriptor: of the pipe in the child, which inherits it; 0 if its standard input is the pipe.
        module: as after `python -m`.
        arguments: of the module.
    """
    return [sys.executable, "-P", "-m", "bench.lifeline", str(descriptor), module, *arguments]


def watch(descriptor: int) -> None:
    """From now on this process ends at once when the other end of a pipe is closed.

    The parent starts its children from its main thread, because Linux takes the end of the thread that
    started a child for the end of its parent.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with, args=(descriptor,), name="lifeline", daemon=True).start()


def _end_with(descriptor: int) -> None:
    while os.read(descriptor, 1):  # blocks, without spinning, until the other end is closed
        pass
    os._exit(1)


def _main() -> None:
    descriptor, module, *arguments = sys.argv[1:]
    watch(int(descriptor))
    import runpy

    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
