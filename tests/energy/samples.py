"""Documents and burners that several tests share."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REAL = Path(__file__).parents[3] / "shared" / "powermetrics"
"""Streams of real Macs, where the checkout has them beside it."""

BUSY = """
import sys, time
for line in sys.stdin:
    end = time.process_time() + float(line)
    while time.process_time() < end:
        pass
    print(flush=True)
"""


def plist(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
        '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        f'<plist version="1.0">\n<dict>\n{body}\n</dict>\n</plist>\n'
    ).encode()


def integers(**values: int) -> str:
    return "".join(f"<key>{key}</key><integer>{value}</integer>" for key, value in values.items())


def document(*, elapsed_ns: int = 100_000_000, is_delta: str = "true", **energies_mj: int) -> bytes:
    energies_mj = energies_mj or {"cpu": 100, "gpu": 20, "ane": 0}
    energies = integers(**{f"{rail}_energy": value for rail, value in energies_mj.items()})
    return plist(
        f"<key>is_delta</key><{is_delta}/>{integers(elapsed_ns=elapsed_ns)}"
        f"<key>timestamp</key><date>2026-01-01T00:00:00Z</date>"
        f"<key>processor</key><dict>{energies}</dict>"
    )


class Burner:
    """A child that uses as many CPU seconds as it is told."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def burn(self, seconds: float) -> tuple[float, float]:
        start_s = time.perf_counter()
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()
        return start_s, time.perf_counter()


@contextlib.contextmanager
def burner() -> Iterator[Burner]:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Burner(process)
        process.stdin.close()
