"""The commands that judge claims and machines; `register` puts them into the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.commands import JUDGE, MEASURE, PAPERS, add
from bench.cli.options import AllowRoot, Json, console
from bench.show import files

if TYPE_CHECKING:
    from bench.studies.isolate.cells import IsolateSuite
    from bench.studies.isolate.run import CellReport
    from bench.studies.spectral.points import Measured


def _can_be_written(file: Path | None) -> Path | None:
    """Told before minutes are spent on what goes into it."""
    from bench.errors import UserError

    if file is not None and file.name.startswith("-"):
        raise UserError(f"{file} is an option, not a file", fix="give one: --csv rows.csv")
    if file is not None and not file.parent.is_dir():
        raise UserError(
            f"can't write {file}: there is no folder {file.parent}", fix="make it, or choose another file"
        )
    return file


CsvOut = Annotated[
    Path | None,
    typer.Option("--csv", callback=_can_be_written, help="Write the rows to this CSV file too."),
]

ClaimNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CLAIM]…", help="Names of claims, or how they begin; all without any."),
]
RunsToJudge = Annotated[
    list[Path] | None,
    typer.Option(help="Judge the claims on this run folder or data set; repeat for more."),
]
OwnClaims = Annotated[
    list[Path] | None,
    typer.Option("--claims", help="TOML file with claims of your own; repeat for more."),
]
Measure = Annotated[
    bool,
    typer.Option("--measure", help="Run the suites of the named claims first, and judge them on that."),
]
AsPublished = Annotated[
    bool,
    typer.Option(
        "--as-published",
        help="With --measure: repeat the papers' protocol as it was, to see its error.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    add(app, MEASURE, isolate)
    add(app, PAPERS, reproduce)
    add(app, PAPERS, spectral)
    add(app, JUDGE, collect)


def reproduce(
    claims: ClaimNames = None,
    run: RunsToJudge = None,
    own: OwnClaims = None,
    measure: Measure = False,
    as_published: AsPublished = False,
    energy: Annotated[str | None, typer.Option(help="With --measure: energy source.")] = None,
    out: Annotated[Path, typer.Option(help="With --measure: folder for run folders.")] = Path("results"),
    csv: CsvOut = None,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Set the published claims beside what their own record shows, and beside a run made here.

    Needs no network but for --measure. A run is judged by the integrated and by the published protocol.

    Examples: [bold]bench reproduce[/], [bold]bench reproduce routing.short --run results/RUN[/],
    [bold]bench reproduce routing.short --measure[/]
    """
    from bench.errors import UserError
    from bench.studies.claims import for_programs
    from bench.studies.claims import tables as claim_tables
    from bench.studies.claims.reproduce import reproduce as judge

    runs = list(run or ())
    if as_published and not measure:
        raise UserError("--as-published says how to run, and nothing is to be run", fix="add --measure")
    if measure:
        runs += _run_suites(
            claims or (),
            as_published=as_published,
            energy=energy,
            out=out,
            quiet=as_json,
            allow_root=allow_root,
        )
    judged = judge(claims or (), runs, own or ())
    if csv is not None:
        files.write(csv, for_programs.to_csv(judged))
    if as_json:
        print(json.dumps(for_programs.to_json(judged), indent=2))
        return
    claim_tables.show(judged, console(), given=len(runs), named=bool(claims or own))


def _run_suites(
    claims: Sequence[str],
    *,
    as_published: bool,
    energy: str | None,
    out: Path,
    quiet: bool,
    allow_root: bool,
) -> list[Path]:
    """Run what re-runs the claims; the new run folders."""
    from bench.cli.running import fetch_and_run
    from bench.run import privilege, sources, start
    from bench.studies.claims.statements import suites

    wanted = suites(claims)
    privilege.lower(allow_root=allow_root, for_meter=True)
    folders = []
    with sources.Shared() as shared:
        for suite in wanted:
            prepared, header = start.prepared(
                suite, energy=energy, backends=None, blocks=None, as_published=as_published
            )
            meter = start.choose_meter(header, shared=shared)
            folders.append(fetch_and_run(prepared, header, meter, out=out, quiet=quiet))
    return folders


def spectral(
    model: Annotated[str, typer.Argument(help="A name of `bench models`, a hub id or a folder.")] = (
        "smollm2-135m"
    ),
    arm: Annotated[
        list[str] | None,
        typer.Option("--set", help="published, distinct or powered; repeat for more; without any all three."),
    ] = None,
    prompts: Annotated[int, typer.Option(help="Distinct prompts of the powered set.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the powered set's prompts.")] = 0,
    backend: Annotated[str, typer.Option(help="Backend that runs the model.")] = "torch",
    points: Annotated[
        Path | None, typer.Option(help="CSV of points to judge instead of measuring a model.")
    ] = None,
    csv: CsvOut = None,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Test whether lambda2 of a prompt goes with lambda11 of a model's hidden states.

    Example: [bold]bench spectral smollm2-135m --set powered --csv points.csv[/]
    """
    from bench.studies.spectral.points import from_csv, judge_arm, to_csv
    from bench.studies.spectral.tables import show, to_json

    if points is not None:
        measured = from_csv(points, arms=arm)
    else:
        measured = _measure_arms(model, arm, allow_root=allow_root, backend=backend, count=prompts, seed=seed)
    if csv is not None:
        files.write(csv, to_csv(measured))
    studies = [study for one in measured for study in judge_arm(one)]
    if as_json:
        print(json.dumps(to_json(studies), indent=2))
        return
    show(studies, console())


def _measure_arms(
    model: str, arm: Sequence[str] | None, *, allow_root: bool, backend: str, count: int, seed: int
) -> list[Measured]:
    from bench.run import privilege
    from bench.run.display.progress import Bar
    from bench.run.fetch import ensure
    from bench.studies.spectral.run import measure_arms
    from bench.studies.spectral.study_prompts import ARMS, check_arms
    from bench.suite import libraries
    from bench.suite.models import locate

    arms = check_arms(arm or ARMS)
    libraries.check(backend, ["float32"], needs=["hidden"])
    weight_files = libraries.weight_files([backend])
    locate(model, weight_files=weight_files)  # what was mistyped is told first
    privilege.lower(allow_root=allow_root)
    with Bar() as progress:
        ensure(model, None, progress=progress, weight_files=weight_files)
        return measure_arms(
            model,
            backend=backend,
            arms=arms,
            options={"dtype": "float32"},
            count=count,
            seed=seed,
            progress=lambda what: progress(what, None, None),
        )


def collect(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR…", help="Run folders, or folders that hold some.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")] = Path("runs.parquet"),
    as_json: Json = False,
) -> None:
    """Put many runs into one Parquet file, a row per window with its provenance; then sum it up.

    Example: [bold]bench collect results --out runs.parquet[/]
    """
    from bench.report.export.collect import collect as gather
    from bench.report.export.collect_summary import show, summarise

    collected = gather(folders, out)
    rows = summarise(collected.file)
    if as_json:
        facts = {"file": str(collected.file), "runs": collected.runs, "windows": collected.slots}
        print(json.dumps({**facts, "without_whole_block": collected.without_whole_block, "rows": rows}))
        return
    show(collected, rows, console())


def isolate(
    suite: Annotated[
        str, typer.Argument(help="An isolation file, or the name of the one that comes along.")
    ] = "isolate",
    energy: Annotated[str | None, typer.Option(help="Energy source instead of the suite's.")] = None,
    backend: Annotated[list[str] | None, typer.Option(help="Only cells of this backend; repeat.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Windows per setting instead of the suite's.")] = None,
    csv: CsvOut = None,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Find out what limits a decode step here: memory, arithmetic or fixed costs.

    Runs ten tests per backend, model and precision; about three minutes for each.

    Example: [bold]bench isolate --backend torch[/]
    """
    from bench.run import privilege
    from bench.studies.isolate.cells import load, narrow
    from bench.studies.isolate.tables import show, to_csv, to_json

    wanted = narrow(load(suite), backends=backend, rounds=rounds)
    privilege.lower(allow_root=allow_root, for_meter=True)
    reports = _isolate(wanted, energy=energy)
    if csv is not None:
        files.write(csv, to_csv(reports))
    if as_json:
        print(json.dumps(to_json(reports), indent=2))
        return
    show(reports, console())


def _isolate(wanted: IsolateSuite, *, energy: str | None) -> list[CellReport]:
    from bench.run import sources
    from bench.run.display.progress import Bar
    from bench.run.fetch import ensure
    from bench.studies.isolate import run as isolation
    from bench.suite import libraries

    isolation.check_backends(wanted)
    source, options = (energy, {}) if energy else (wanted.energy.source, wanted.energy.options)
    chosen = sources.choose(source, options)
    with Bar() as progress:
        for cell in wanted.cells:
            reads = libraries.weight_files([cell.backend])
            ensure(cell.model, None, progress=progress, weight_files=reads)
        progress(chosen.note, None, None)
        return isolation.isolate(wanted, chosen, lambda what: progress(what, None, None))
