"""The one way in which a command runs a suite: its models are fetched, and a display shows how it goes on."""

from __future__ import annotations

from pathlib import Path

from bench.cli.options import console, display
from bench.run import host, power, start
from bench.run.display.progress import Bar
from bench.run.sources import ChosenMeter
from bench.suite.header import RunHeader
from bench.suite.prepare import Prepared


def fetch_and_run(
    prepared: Prepared,
    header: RunHeader,
    meter: ChosenMeter,
    *,
    out: Path,
    resume_from: Path | None = None,
    as_json: bool = False,
    quiet: bool = False,
    before_s: float = 0.0,
    void_again: bool = False,
) -> Path:
    """Bring the models here and run; returns the run folder. Arguments are those of `run_or_resume`."""
    with Bar(quiet=quiet) as progress:
        start.fetch_models(prepared, progress=progress)
    ask = None
    if header.overrides.until_settled:
        from bench.report import verdicts  # with statistics, which other runs have no need of

        ask = verdicts.verdicts_of
    with display(console(), as_json=as_json, quiet=quiet) as shown:
        shown.note(meter.note)
        if (slow := power.slowed(host.power())) is not None:
            shown.note(slow)
        return start.run_or_resume(
            prepared,
            header,
            meter,
            out=out,
            resume_from=resume_from,
            display=shown,
            ask=ask,
            before_s=before_s,
            void_again=void_again,
        )
