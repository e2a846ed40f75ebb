"""CopySpec's rule beside lookup's longest run: forwards, tokens fed and joules, on prompts and on turns.

    python -m benchmarks.copying smollm2-135m [--backend mlx] [--sets mixed turns] [--limit 6] [--new 48]
                                              [--energy SOURCE] [--blocks 2]

Each set is one `bench run`: plain decoding, and both rules. A forward of a prompt's prefill is not counted.
The table is Markdown, and says of what kind the joules are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report.story import Story
from bench.run.records import RequestRecord

RULES: dict[str, dict[str, object]] = {
    "longest-3": {"lookup": True},
    "copyspec-3": {"lookup": True, "lookup_rule": "copyspec"},
    "copyspec-5": {"lookup": True, "lookup_rule": "copyspec", "lookup_ngram": 5},
}


def suite(options: argparse.Namespace, prompts: str) -> str:
    """The suite of one set."""
    gates = "\n".join(
        f'[gates.{name}]\nplugin = "constant"\nbudget = {{ cut = {{ {_inline(cut)} }} }}'
        for name, cut in RULES.items()
    )
    return f"""
name = "copying-{prompts}"
backends = ["{options.backend}"]
[models.full]
name = "{options.model}"
[prompts]
file = "{prompts}"
limit = {options.limit}
[generation]
max_new_tokens = {options.new}
[gates.ungated]
{gates}
[protocol]
blocks = {options.blocks}
min_window_s = {options.window}
warm_up_s = 2
idle_s = 2
self_test_s = 0
latency_prompts = 0
a_a = false
"""


def _inline(cut: dict[str, object]) -> str:
    shown = {key: str(value).lower() if value is True else repr(value) for key, value in cut.items()}
    return ", ".join(f"{key} = {value}" for key, value in shown.items()).replace("'", '"')


def rows(folder: Path, prompts: str) -> list[str]:
    """A line of the table for every arm of a run."""
    story, lines = Story.of(folder), list[str]()
    for row in story.summary.rows:
        requests = [r for r in story.readback.run.of(RequestRecord) if r.gate == row.gate]
        made = sum(len(request.tokens) - 1 for request in requests)
        forwards = sum(request.forwards for request in requests)
        guessed = sum(request.guessed_tokens or 0 for request in requests)
        right = sum(request.right_guesses or 0 for request in requests)
        share = f"{right / guessed:.0%}" if guessed else "-"
        same = "-" if row.same_answers is None or row.gate == "ungated" else row.same_answers
        joules = "-" if row.joules_per_token is None else f"{row.joules_per_token:.3g}"
        lines.append(
            f"| {prompts} | {row.gate} | {forwards / made:.2f} | {(forwards + guessed) / made:.2f} "
            f"| {share} | {joules} | {same} |"
        )
    return lines


def main() -> None:
    """Run every set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--backend", default="mlx", choices=("torch", "mlx"))
    parser.add_argument("--sets", nargs="+", default=["mixed", "turns"])
    parser.add_argument("--limit", type=int, default=6, help="prompts of each set; a turn is one")
    parser.add_argument("--new", type=int, default=48, help="tokens of an answer")
    parser.add_argument("--energy", default="auto")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--window", type=float, default=2.0, help="seconds of a window at least")
    options = parser.parse_args()
    print(f"Joules: {options.energy}\n")
    print(
        "| prompts | rule | forwards a token | tokens fed a token | guesses right | J/token | same answers |"
    )
    print("|---|---|---|---|---|---|---|")
    for prompts in options.sets:
        with TemporaryDirectory(prefix="joulebench-") as scratch:
            file = Path(scratch) / "suite.toml"
            file.write_text(suite(options, prompts))
            command = [
                str(Path(sys.executable).parent / "bench"),
                "run",
                str(file),
                "--energy",
                options.energy,
                "--out",
                scratch,
                "--quiet",
            ]
            root = ["--allow-root"] if os.geteuid() == 0 else []
            done = subprocess.run([*command, *root], check=False)
            if done.returncode:
                sys.exit(done.returncode)
            (folder,) = (path.parent for path in Path(scratch).glob("*/run.json"))
            print("\n".join(rows(folder, prompts)), flush=True)


if __name__ == "__main__":
    main()
