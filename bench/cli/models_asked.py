"""What `bench run` was asked for on the command line: a suite, or models with what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError
from bench.show import files
from bench.suite import from_models
from bench.suite.from_models import ModelsAsked
from bench.suite.header import Overrides
from bench.suite.sizing import DEFAULT_MINUTES

USUAL_SUITE = "quick"


def understood(
    what: Sequence[str] | None,
    changes: Overrides,
    *,
    prompts: str | None,
    pp: int | None,
    tg: int | None,
    dtype: str | None,
    batches: Sequence[int] | None,
    chunk: int | None,
    minutes: float | None,
    urls: Sequence[str] | None,
) -> tuple[str, ModelsAsked | None]:
    """The name of a suite with None, or the first model's name with all that is asked of models.

    Where nothing is named, it is the suite `quick`.

    Raises:
        UserError: a name is neither a suite nor a model, or an option of models stands beside a suite.
    """
    what = what or [USUAL_SUITE]
    backends, blocks = changes.backends, changes.blocks
    if minutes is not None and blocks is not None:
        raise UserError(
            f"--minutes {minutes:g} decides how many blocks there are, --blocks {blocks} too",
            fix="leave one of them out",
        )
    if from_models.are_models(what, served=bool(urls)):
        usual = DEFAULT_MINUTES if blocks is None else None
        return what[0], ModelsAsked(
            models=tuple(what),
            prompts=prompts,
            prompt_tokens=pp,
            new_tokens=tg,
            dtype=dtype,
            batches=tuple(batches or ()),
            prefill_chunk=chunk,
            backends=tuple(backends or ()),
            minutes=minutes or usual,
            urls=tuple(urls or ()),
            plain=bool(changes.plain),
        )
    given = {"--prompts": prompts, "--pp": pp, "--tg": tg, "--dtype": dtype, "--minutes": minutes}
    given["--prefill-chunk"] = chunk
    given["--url"] = ", ".join(urls) if urls else None
    given["--batch"] = ", ".join(map(str, batches)) if batches else None
    for option, value in given.items():
        if value is not None:
            raise UserError(
                f"{option} {value} goes with models, but {what[0]} is a suite", fix="say it in the suite"
            )
    return what[0], None


def save(asked: ModelsAsked | None, file: Path) -> None:
    """Write the suite that does what is asked; never over another file.

    Raises:
        UserError: nothing is asked of models, or the file exists or can't be written.
    """
    if asked is None:
        raise UserError("--save-suite writes what is asked of models", fix="name a model: bench run MODEL")
    files.check_new(file)
    _, text = from_models.suite_of(asked)
    files.write(file, text)
    print(f"wrote {file}; run it with: bench run {file}")
