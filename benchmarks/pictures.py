"""The answer in the README and the pictures in docs/images, made anew from one made-up run: `make pictures`.

    python -m benchmarks.pictures [--answer-only]

The run is that of `benchmarks/long_run.py`, of forty minutes with two readings a second; its joules are
labelled `simulated`. The page needs Chromium: on the path, or CHROMIUM=/path/to/it.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

from rich.console import Console

from bench.report.story import Story
from bench.report.tables import show
from benchmarks.long_run import make_long_run

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
RUN = Path("results/RUN")
BEGIN, END = "<!-- made: make pictures -->\n", "<!-- /made -->\n"
FIGURES = ("power", "savings", "joules-per-token", "drift")
PAGE_SIZE = "1120,900"


def make_run(folder: Path) -> None:
    """The run below `folder`, as `results/RUN`."""
    made = make_long_run(folder / "results", hours=0.67, slot_s=20.0, prompts=6, interval_s=0.5)
    made.rename(folder / RUN)


def answer() -> str:
    """What `bench report results/RUN` prints in 80 columns, of the run below the current folder."""
    told = io.StringIO()
    show(Story.of(RUN), Console(file=told, width=80, force_terminal=False))
    lines = [f"    {line}".rstrip() for line in told.getvalue().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def between_marks(text: str) -> str:
    """What of a page was made here."""
    return text.partition(BEGIN)[2].partition(END)[0].strip("\n") + "\n"


def put(text: str, made: str) -> str:
    """A page with what was made anew."""
    before, begin, rest = text.partition(BEGIN)
    return f"{before}{begin}\n{made}\n{END}{rest.partition(END)[2]}"


def draw() -> None:
    """The figures and the top of the page of the run below the current folder."""
    bench = [str(Path(sys.executable).with_name("bench"))]
    subprocess.run([*bench, "report", str(RUN)], check=True, stdout=subprocess.DEVNULL)
    for name in FIGURES:
        file = IMAGES / f"{name}.png"
        plot = [*bench, "plot", str(RUN), name, "--format", "png", "--out", str(file)]
        subprocess.run(plot, check=True, stdout=subprocess.DEVNULL)
    named = (os.environ.get("CHROMIUM"), *(shutil.which(name) for name in ("chromium", "google-chrome")))
    chromium = next((program for program in named if program), None)
    if chromium is None:
        sys.exit("no Chromium for the picture of the page; set CHROMIUM to its path")
    page = (RUN / "report" / "report.html").resolve().as_uri()
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={PAGE_SIZE}"]
    shot = [chromium, *options, f"--screenshot={IMAGES / 'report.png'}", page]
    subprocess.run(shot, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main() -> None:
    """Write the answer into the README, and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--answer-only", action="store_true", help="leave the pictures as they are")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        make_run(Path(scratch))
        README.write_text(put(README.read_text(encoding="utf-8"), answer()), encoding="utf-8")
        if not options.answer_only:
            draw()


if __name__ == "__main__":
    main()
