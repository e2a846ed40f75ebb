"""Tokens/s of our loops over the libraries' own, on the same loaded model.

    python benchmarks/decode.py MODEL_FOLDER [--backend mlx] [--batch 1 8] [--new-tokens 32] [--rounds 25]
                                [--threads 2]

The rivals are `transformers.generate`, `mlx_lm.stream_generate` (of several requests at a time
`mlx_lm.batch_generate`) and, where the folder holds a GGUF file, a whole request of llama.cpp's
server, greedy, without a stop token. Both sides run in this process and take turns (ours first,
then theirs first). A batch is copies of the prompt, whose tokens all have to be the same.

`decode` is the same subtraction on both sides: the time of a request for M new tokens minus the
time of the same request for one, each until the device is idle. Prefill, tokenising, set-up and
whatever a library throws away at the end cancel, and M-1 forwards remain. `request` is the
whole request for M new tokens, with all of that in it. The prompt is short, so that its noise
stays out of the difference. Forwards are counted in a request that is not timed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median, quantiles

from backends.base import BackendError
from benchmarks.contests import Contest, Request, llama_cpp_contest, mlx_contest, torch_contest

PROMPT = "Once upon a"


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of one side in one round."""

    decode_s: float
    """`new_tokens - 1` decode forwards."""
    request_s: float


def request_s(request: Request, new_tokens: int) -> float:
    """Seconds of one whole request."""
    start_s = time.perf_counter()
    request(new_tokens)
    return time.perf_counter() - start_s


def time_side(request: Request, new_tokens: int) -> Times:
    """Decode and whole-request seconds of one side in one round."""
    whole_s = request_s(request, new_tokens)
    return Times(decode_s=whole_s - request_s(request, 1), request_s=whole_s)


def measure(contest: Contest, *, new_tokens: int, rounds: int) -> list[tuple[Times, Times]]:
    """Times (ours, library) of each round; who goes first alternates."""
    times = []
    for number in range(rounds):
        if number % 2 == 0:
            ours = time_side(contest.ours, new_tokens)
            library = time_side(contest.library, new_tokens)
        else:
            library = time_side(contest.library, new_tokens)
            ours = time_side(contest.ours, new_tokens)
        times.append((ours, library))
    return times


def forwards_text(lengths: list[int]) -> str:
    """Such as `20 + 31x1`: forwards of several tokens, then the number of one-token forwards."""
    parts = [str(length) for length in lengths if length > 1]
    return " + ".join([*parts, f"{lengths.count(1)}x1"])


def verdict(contest: Contest, *, batch: int, new_tokens: int, rounds: int) -> tuple[bool, str]:
    """Whether our decode is the slower one, and the lines that show it.

    Slower means in three rounds of four: on a machine that does other things too, the median of two equal
    loops is below 1 every other time.
    """
    same = contest.ours(new_tokens) == contest.library(new_tokens)  # also warms both up
    forwards = [forwards_text(contest.count(side, new_tokens)) for side in (contest.ours, contest.library)]
    times = measure(contest, new_tokens=new_tokens, rounds=rounds)
    decode = [(ours.decode_s, library.decode_s) for ours, library in times]
    request = [(ours.request_s, library.request_s) for ours, library in times]
    info = contest.backend.info
    lines = [
        f"{info.backend} on {info.device}, batch {batch}; "
        f"forwards: ours {forwards[0]}, library {forwards[1]}; tokens {'equal' if same else 'DIFFER'}",
        "  decode   " + compared(decode, batch * (new_tokens - 1)),
        "  request  " + compared(request, batch * new_tokens),
    ]
    if contest.own_s is not None:
        lines.append(f"  by its own clock: {own_share(contest, new_tokens, rounds)}")
    ratios = [library_s / ours_s for ours_s, library_s in decode]
    return quantiles(ratios, n=4)[2] < 1, "\n".join(lines)


def own_share(contest: Contest, new_tokens: int, rounds: int) -> str:
    """The share of our requests' seconds that the library's own clock counts, as a median with quartiles."""
    assert contest.own_s is not None
    shares = []
    for _ in range(rounds):
        before_s = contest.own_s()
        took_s = request_s(contest.ours, new_tokens)
        shares.append((contest.own_s() - before_s) / took_s)
    low, middle, high = quantiles(shares, n=4)
    return f"{middle:.4f} of our seconds ({low:.4f} to {high:.4f})"


def compared(pairs_s: list[tuple[float, float]], tokens: int) -> str:
    """Median tokens/s of both sides, and the median of the ratio with its quartiles."""
    ours, library = (tokens / median(side_s) for side_s in zip(*pairs_s, strict=True))
    low, middle, high = quantiles((library_s / ours_s for ours_s, library_s in pairs_s), n=4)
    return f"{ours:8.2f} {library:8.2f}    {middle:.3f}  ({low:.3f} to {high:.3f})"


def main() -> int:
    """Print the table; 1 if our loop is the slower one anywhere."""
    contests: dict[str, Callable[[Path, str, int], Contest]] = {
        "torch": torch_contest,
        "mlx": mlx_contest,
        "llama_cpp": lambda folder, prompt, _: llama_cpp_contest(folder, prompt, options.threads),
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--backend", choices=list(contests), help="only this one; default: all")
    parser.add_argument("--batch", type=int, nargs="+", default=[1], help="requests at a time")
    parser.add_argument("--new-tokens", type=int, default=32, help="of a request; default: 32")
    parser.add_argument("--rounds", type=int, default=25, help="turns of each side; default: 25")
    parser.add_argument("--threads", type=int, help="of llama.cpp; default: its own number")
    options = parser.parse_args()
    print(f"{options.new_tokens} new tokens, {options.rounds} rounds; medians over rounds, tokens/s")
    print("               ours  library    ratio  (quartiles)")
    slower = False
    here = [name for name in contests if name != "llama_cpp" or any(options.folder.glob("*.gguf"))]
    asked = [options.backend] if options.backend else here
    for name, batch in product(asked, options.batch):
        if batch > 1 and name == "llama_cpp":
            continue  # it runs one request at a time
        try:
            contest = contests[name](options.folder, PROMPT, batch)
        except BackendError as error:
            parser.error(str(error))
        loses, lines = verdict(contest, batch=batch, new_tokens=options.new_tokens, rounds=options.rounds)
        print(lines, flush=True)
        slower |= loses
        contest.backend.close()
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
