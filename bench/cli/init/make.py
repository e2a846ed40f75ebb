"""`bench init`: three answers and a short pilot -> a suite for this machine."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from analysis.sizing import Noise
from analysis.verdict import THRESHOLD
from backends.about import Ability
from backends.base import ModelError
from backends.echo.load import LAYERS as ECHO_LAYERS
from backends.folder import open_folder
from bench.cli.init.answers import QUESTIONS, Answers
from bench.cli.init.fitting import COOL_DOWN_S, SELF_TEST_S, Sized, SuitePace, caution, sentence, size
from bench.cli.init.pilot import Pilot
from bench.cli.init.suite_text import Draft, to_toml
from bench.errors import UserError
from bench.run import host
from bench.show import files
from bench.suite import libraries
from bench.suite.from_models import backends_for, readers_of
from bench.suite.models import LocalModel, catalogue

WANTED_CHANGE = 2 * THRESHOLD
"""As far beyond the threshold as that is from nothing."""
MAX_NEW_TOKENS = 32

ASSUMED_NOISE = Noise(seen=0.02, planned=0.02, blocks=None)
ASSUMED_PACE = SuitePace(request_s=2.0, gap_s=0.5, startup_s=60.0)
"""Without a pilot: a round figure for each, which the suite says."""

_SMALL = 1 / 3
"""Share of the layers that the small model keeps."""


def begin(answers: Answers, here: LocalModel, *, file: Path) -> Draft:
    """The suite before it is sized.

    Raises:
        UserError: the model can't answer the question.
    """
    is_echo, readers = here.folder is None, readers_of(answers.model)
    if (is_echo or len(readers) == 1) and answers.question == "backend":
        raise UserError(
            f"{answers.model} runs on one backend only", fix="choose another --model or --question"
        )
    backends = _backends(answers)
    return Draft(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).strip("-.") or "suite",
        heading=(),
        question=answers.question,
        model=answers.model if is_echo or not _is_path(answers.model) else str(here.file or here.folder),
        small_layers=_small_layers(here) if answers.question == "gate" else None,
        backends=backends,
        prompts=1,
        max_new_tokens=MAX_NEW_TOKENS,
        blocks=1,
        window_s=60.0,
        idle_s=20.0,
        cool_down_s=COOL_DOWN_S,
        self_test_s=SELF_TEST_S,
    )


def finish(draft: Draft, answers: Answers, pilot: Pilot | None, *, file: Path) -> tuple[Draft, Sized]:
    """The suite with blocks and windows for the time there is.

    Raises:
        UserError: there is too little of it.
    """
    noise = pilot.noise if pilot else ASSUMED_NOISE
    pace = pilot.pace if pilot else ASSUMED_PACE
    sized = size(
        answers.minutes,
        arms=draft.arms,
        asked=max(1, draft.comparisons),
        pace=pace,
        noise=noise,
        change=WANTED_CHANGE,
    )
    heading = (
        f"{QUESTIONS[answers.question]} A suite for: bench run {file}",
        _origin(pilot),
        f"{_known(pilot)} {_promise(sized, answers)}{caution(sized, pace)}",
    )
    sized_draft = replace(
        draft,
        heading=heading,
        prompts=sized.prompts,
        blocks=sized.blocks,
        window_s=sized.window_s,
        idle_s=sized.idle_s,
        reading_s=pace.reading_s,
    )
    return sized_draft, sized


def _promise(sized: Sized, answers: Answers) -> str:
    """What the run will tell; a cost has an interval and no verdict."""
    if answers.question == "cost":
        return f"The report gives joules per token with their interval over {sized.blocks} blocks."
    return sentence(sized, minutes=answers.minutes)


def write(draft: Draft, file: Path) -> None:
    """Write the suite, whole or not at all; never over another file.

    Raises:
        UserError: it can't be written.
    """
    files.check_new(file)
    files.write(file, to_toml(draft))


def _backends(answers: Answers) -> tuple[str, ...]:
    """The usual ones, as many as the question takes, that can do what it asks.

    Raises:
        UserError: a backend lacks it.
    """
    if answers.question == "backend":
        return libraries.usual(2)
    asked: dict[str, Ability] = {"cut": "cuts", "gate": "layers"}
    for reader in readers_of(answers.model):
        needs = [asked[answers.question]] if answers.question in asked else []
        libraries.check(reader, (), needs=needs)
    return backends_for([answers.model])


def _small_layers(here: LocalModel) -> int:
    if here.folder is None:
        layers = ECHO_LAYERS
    else:
        try:
            layers = open_folder(here.folder).layers
        except ModelError as error:
            raise UserError(f"{here.name}: {error.what}", fix=error.fix) from None
    return max(1, round(_SMALL * layers))


def _is_path(model: str) -> bool:
    return model not in catalogue() and Path(model).expanduser().exists()


def _origin(pilot: Pilot | None) -> str:
    facts = host.machine()
    memory = f"{facts['memory_bytes'] / 2**30:.0f} GiB"
    today = datetime.now(UTC).date().isoformat()
    meter = f" Energy: {pilot.meter}." if pilot else ""
    return f"Written by bench init on {today} for {facts['chip'] or 'this machine'}, {memory}.{meter}"


def _known(pilot: Pilot | None) -> str:
    """Where noise and pace come from."""
    if pilot is None:
        return (
            f"ASSUMED, there was no pilot: joules differ by {100 * ASSUMED_NOISE.planned:g} % from block to "
            f"block, a request takes {ASSUMED_PACE.request_s:g} s."
        )
    noise = pilot.noise
    caveat = "" if pilot.kind == "measured" else f" ({pilot.kind}, NOT a measurement)"
    of_what = f"the joules{caveat} of the same work"
    seen, planned = (f"{100 * spread:.1f} %" for spread in (noise.seen, noise.planned))
    return (
        f"In a pilot of {noise.blocks} blocks with windows of {pilot.window_s:g} s, {of_what} differed by "
        f"{seen} from block to block (standard deviation); so few blocks know it badly, so the plan takes "
        f"{planned}. "
        f"A request took {pilot.pace.request_s:.2g} s, a reading of the meter {pilot.pace.reading_s:.2g} s."
    )
