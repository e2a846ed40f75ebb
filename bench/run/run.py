"""A run: open, self-test, idle, size, blocks of slots with idle between them, idle, close."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.errors import BenchError, Interrupted, NoJoules, RunFailed, UserError
from bench.run import disk, store
from bench.run.display.plain import Display
from bench.run.minutes import Minutes
from bench.run.session import Ask, RunSession
from bench.run.sources import ChosenMeter
from bench.run.writer import sole_writer
from bench.suite.header import RunHeader
from bench.suite.prepare import Prepared
from energy.base import EnergyError
from energy.recording import RecordingFailed


def run(
    prepared: Prepared,
    *,
    meter: ChosenMeter,
    out: Path,
    header: RunHeader,
    display: Display,
    ask: Ask | None = None,
    minutes: Minutes | None = None,
) -> Path:
    """Run a suite into a new folder under `out`; returns the folder.

    A run that fails before anything was measured, or that can never have joules, leaves nothing behind.

    `minutes` are those that it is to end in, if it is sized.

    Raises:
        UserError: the suite and its models or prompts don't fit together, or it has too few minutes.
        RunFailed: the backends disagree, nothing could be loaded, or the meter can give no joules.
        Interrupted: Ctrl-C; what is measured is kept.
    """
    new = store.create(out, header=header, prompts=prepared.prompts.prompts)
    try:
        with sole_writer(new.folder):
            session = RunSession(
                prepared, folder=new.folder, number=1, meter=meter, display=display, ask=ask, minutes=minutes
            )
            _measure(session)
    except (BenchError, EnergyError) as error:
        if isinstance(error, NoJoules | UserError) or not store.read(new.folder).records:
            new.discard()
        raise
    return new.folder


def resume(
    folder: Path,
    prepared: Prepared,
    *,
    meter: ChosenMeter,
    display: Display,
    ask: Ask | None = None,
    minutes: Minutes | None = None,
    void_again: bool = False,
) -> Path:
    """Go on with a run that was cut short, at its first block that is not whole.

    With `void_again` the whole blocks in which a slot is void are run once more; what they measure takes the
    place of what was.

    Raises:
        UserError: another process writes the folder; and what `run` raises.
    """
    with sole_writer(folder):
        store.drop_cut_line(folder)
        stored = store.read(folder)
        session = RunSession(
            prepared,
            folder=folder,
            number=stored.sessions + 1,
            meter=meter,
            display=display,
            ask=ask,
            minutes=minutes,
            again=stored.void_blocks if void_again else frozenset(),
        )
        _measure(session)
    return folder


def _measure(session: RunSession) -> None:
    try:
        with session:
            session.load()
            session.self_test()
            session.lag("before")
            session.idle("before")
            session.time_passes()
            session.latency()
            session.size()
            for block in session.remaining_blocks():
                for slot in block:
                    session.measure(slot)
                if session.finish(block):
                    break
                session.idle("between")
            session.idle("after")
            session.lag("after")
    except KeyboardInterrupt:
        raise Interrupted("interrupted", fix=f"{session.how_to_go_on()}") from None
    except NoJoules:
        raise
    except (RunFailed, RecordingFailed) as error:
        raise RunFailed(error.what, fix=session.how_to_go_on()) from None
    finally:
        with suppress(KeyboardInterrupt):  # which ends this alone
            disk.pack_streams(session.stored.folder, but=None if session.has_begun else session.folder)
