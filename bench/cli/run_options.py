"""The options of `bench run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import complete

WhatToRun = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL…|SUITE]",
        autocompletion=complete.runnable,
        help="Models (name, folder, file or hub id), each beside the first; or a suite. [default: quick]",
    ),
]
ModelPrompts = Annotated[
    str | None,
    typer.Option(autocompletion=complete.prompts, help="Of models: a .txt, .jsonl or .json file."),
]
PromptTokens = Annotated[
    int | None, typer.Option(min=1, help="Of models: one synthetic prompt of so many tokens instead.")
]
NewTokens = Annotated[
    int | None,
    typer.Option(
        "--tg",
        "--tokens",
        min=1,
        help="Of models: generated tokens an answer. [default: up to 64]",
    ),
]
ModelDtype = Annotated[
    str | None, typer.Option(help="Of models: float32, bfloat16 or float16. [default: float32]")
]
BatchSizes = Annotated[
    list[int] | None,
    typer.Option(
        min=1,
        help="Of models: equal requests at a time; repeatable. [default: 1]",
    ),
]
PrefillChunk = Annotated[
    int | None,
    typer.Option(min=1, help="Of models: prompt tokens a forward at most. [default: 2048]"),
]
ServerUrls = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        help="Of models: of their server here, as http://127.0.0.1:8080/v1.",
    ),
]
NoChat = Annotated[
    bool, typer.Option("--no-chat", help="Prompts as plain text, also where a model has a chat template.")
]
RunMinutes = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        help="Of models: the run ends in so many; sized for it. [default: 3]",
    ),
]
SaveSuite = Annotated[
    Path | None, typer.Option(help="Of models: write the suite that does the same, and don't run.")
]
RunBlocks = Annotated[int | None, typer.Option(help="Number of blocks instead of the suite's, or the run's.")]
ResumeRun = Annotated[
    Path | None,
    typer.Option(autocompletion=complete.runs, help="Go on with a run folder that was cut short."),
]
VoidAgain = Annotated[
    bool, typer.Option("--void-again", help="With --resume: run blocks with a void window once more.")
]
Until = Annotated[
    str | None,
    typer.Option(help="`settled`: end at the first look that has every verdict."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, show the plan, run nothing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and where the run is.")]
