"""Are forged runs found, and do honest ones pass?

    python -m benchmarks.forged [--honest 200]

So many honest runs are made up and added to a data set, and with them one for each way of forging a run
(`benchmarks.forgeries`), which is then forged. The target: every forgery is found by the check that is there
for it, and no honest run fails any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.report.dataset.add import add
from bench.report.dataset.check import check
from benchmarks.dataset import make_honest_run
from benchmarks.forgeries import FORGERIES, forge


def main() -> int:
    """Make, forge and check; prints a line for each forgery, and exits with 1 if anything is amiss."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--honest", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [make_honest_run(folder / "made", seed=n) for n in range(asked.honest + len(FORGERIES))]
        files = [one.file for one in add(made, folder / "set") if one.file]
        forged = {}
        for forgery, file in zip(FORGERIES, files[1:], strict=False):
            forged[forge(forgery, file, files[0]).stem] = forgery
        found = {one.run: one.failed for one in check(folder / "set")}
    missed = 0
    for run, forgery in forged.items():
        is_found = forgery.check in {doubt.check for doubt in found[run]}
        missed += not is_found
        by = "; ".join(sorted({doubt.check for doubt in found[run]}))
        print(f"{'found ' if is_found else 'MISSED'}  {forgery.name:34} by {by or 'nothing'}")
    accused = {run: failed for run, failed in found.items() if failed and run not in forged}
    for run, failed in accused.items():
        print(f"ACCUSED {run}: {failed[0]}")
    print(f"found: {len(forged) - missed} of {len(forged)} forged, {len(accused)} of {asked.honest} honest")
    return 1 if missed or accused else 0


if __name__ == "__main__":
    sys.exit(main())
