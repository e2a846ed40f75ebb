"""`bench doctor --bundle`: what somebody with a Mac can tell those who have none, in one file.

Steps one after the other, ten minutes in all. A step that fails, or takes more than half of the time that is
left, is null with the reason, or what it has found so far, and the others go on. Nothing asks for a password:
where sudo would, the step says so.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from bench.cli.doctor.anonymous import anonymous, homes_here, names_here
from bench.errors import UserError
from bench.show.safe_text import one_line

SCHEMA = 1
WHOLE_S = 600.0
"""For all steps together."""


@dataclass(frozen=True, kw_only=True)
class BundleStep:
    """One thing to find out."""

    name: str
    what: str
    """What it does, as it is told while it runs."""
    find: Callable[[], Any]
    """What it found; an iterator gives pairs of a table, of which those before a failure are kept."""


class _NoTimeLeft(BaseException):
    """The step has had its time; no error that a library may catch."""


_AGAIN_S = 20.0
"""After which a step that has not ended is told so once more."""


def steps() -> list[BundleStep]:
    """All of them; what is quick first, so that a file that ends early holds most."""
    from bench.cli.doctor import bundle_machine, bundle_meter, bundle_models

    return [
        BundleStep(name="machine", what="chip, system and versions", find=bundle_machine.facts),
        BundleStep(name="findings", what="what bench doctor finds", find=bundle_machine.findings),
        BundleStep(name="power", what="power keys of pmset", find=bundle_machine.power),
        BundleStep(name="sleep", what="the last entries of the sleep log", find=bundle_machine.sleep_log),
        BundleStep(
            name="powermetrics_help", what="powermetrics -h, with root and without", find=bundle_meter.helps
        ),
        BundleStep(
            name="meter",
            what="the meter: cadence, lag, idle, self-tests (3 min)",
            find=bundle_meter.meter,
        ),
        BundleStep(name="ioreport", what="cadence and zero channels of IOReport", find=bundle_meter.ioreport),
        BundleStep(name="logits", what="logits by device and dtype (2 min)", find=bundle_models.logits),
        BundleStep(name="cuts", what="every kind of cut on the GPU", find=bundle_models.cuts),
        BundleStep(name="stream", what="bytes a second of the stream test, S1", find=bundle_models.stream),
    ]


def collect(
    chosen: Sequence[BundleStep], say: Callable[[str], None], *, whole_s: float = WHOLE_S
) -> dict[str, Any]:
    """Run the steps.

    Args:
        chosen: in their order.
        say: told what is being done.
        whole_s: seconds for all of them.

    Returns:
        By step what was found, or null; `not_measured` says why one is null or cut short. Anonymous.
    """
    names, homes = names_here(), homes_here()  # before minutes are spent
    began_s = time.monotonic()
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    seconds_s: dict[str, float] = {}
    for step in chosen:
        say(step.what)
        start_s = time.monotonic()
        left_s = began_s + whole_s - start_s
        most_s = left_s if step is chosen[-1] else left_s / 2
        found[step.name] = None
        try:
            with _at_most(most_s):
                result = step.find()
                if not isinstance(result, Iterator):
                    found[step.name] = result
                    continue
                for key, value in result:
                    found[step.name] = (found[step.name] or {}) | {key: value}
        except _NoTimeLeft:
            missing[step.name] = f"not done in {most_s:.0f} s of the {whole_s / 60:g} minutes"
        except Exception as error:
            # whatever a machine that nobody here has seen does: the file is of use without this step
            missing[step.name] = _reason(error)
        finally:
            seconds_s[step.name] = round(time.monotonic() - start_s, 1)
    bundle = {"bundle": SCHEMA, **found, "not_measured": missing, "seconds": seconds_s}
    cleaned = anonymous(bundle, names=names, homes=homes)
    assert isinstance(cleaned, dict)
    return cleaned


def check_target(file: Path) -> None:
    """Refuse before ten minutes are spent what could not be written.

    Raises:
        UserError: there is such a file, or no such folder.
    """
    if file.exists():
        raise UserError(f"{file} is there already", fix="give the name of a new file")
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent}", fix="give a file in a folder that exists")


def text_of(bundle: dict[str, Any]) -> str:
    """As it is shown and written."""
    return json.dumps(bundle, indent=2, ensure_ascii=False) + "\n"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `_NoTimeLeft` in the block once so many seconds have passed."""
    if seconds <= 0:
        raise _NoTimeLeft

    def over(_: int, __: FrameType | None) -> None:
        raise _NoTimeLeft

    former = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
