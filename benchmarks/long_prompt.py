"""Memory of a long prompt by the size of its chunks, on a tiny random model.

    python benchmarks/long_prompt.py [--tokens 32768] [--chunks 512 2048] [--whole torch]

Every row is a process of its own that loads the model, runs one prefill and eight new tokens, and says by
how much its peak memory grew over what it was with the model loaded. A prompt in one forward is run for the
libraries of `--whole`: MLX on a CPU holds all scores of a layer at once, gigabytes at 32k tokens. The tokens
of all rows have to be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from backends.base import Backend

NEW_TOKENS = 8
LIBRARIES = ("torch", "mlx")
BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, kw_only=True)
class Peak:
    """What one process used."""

    library: str
    chunk: int
    forwards: int
    grown_bytes: int
    """Peak of the resident memory over the peak before the prompt."""
    tokens: list[int]


def make_model(folder: Path, context: int) -> None:
    """Write a random model of two layers that takes so many tokens."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=1024,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        rope_theta=10000.0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    Tokenizer(models.BPE(vocab={"a": 0}, merges=[])).save(str(folder / "tokenizer.json"))


def load(library: str, folder: Path, chunk: int) -> Backend:
    """The model on one library."""
    from backends.mlx import load as on_mlx
    from backends.torch import load as on_torch

    if library == "mlx":
        return on_mlx.load(folder=folder, prefill_chunk=chunk)
    return on_torch.load(folder=folder, device="cpu", prefill_chunk=chunk)


def run(library: str, folder: Path, *, tokens: int, chunk: int) -> Peak:
    """One request in this process."""
    backend = load(library, folder, chunk)
    ids = [3 + 7 * n % 500 for n in range(tokens)]
    backend.decode(backend.prefill(ids[:64]), max_new_tokens=2, ignore_eos=True)
    before_bytes = peak_bytes()
    session = backend.prefill(ids)
    generated = backend.decode(session, max_new_tokens=NEW_TOKENS, ignore_eos=True)
    assert generated.used is not None
    return Peak(
        library=library,
        chunk=chunk,
        forwards=len(generated.used.chunks),
        grown_bytes=peak_bytes() - before_bytes,
        tokens=generated.tokens,
    )


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_OF_MAXRSS


def in_a_process(library: str, folder: Path, *, tokens: int, chunk: int) -> Peak:
    """The same in a process of its own."""
    asked = ["--row", library, str(folder), str(chunk), "--tokens", str(tokens)]
    done = subprocess.run([sys.executable, __file__, *asked], stdout=subprocess.PIPE, text=True)
    if done.returncode:  # what it said stands above
        sys.exit(f"{library} with chunks of {chunk} tokens ended with exit code {done.returncode}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def line(peak: Peak, whole: dict[str, Peak]) -> str:
    """A row of the table."""
    against = whole.get(peak.library)
    share = f"{peak.grown_bytes / against.grown_bytes:8.2f}" if against else "       -"
    return f"{peak.library:8}{peak.chunk:8}{peak.forwards:10}{peak.grown_bytes / 1e6:12.0f}{share}"


def main() -> int:
    """Print the table; 1 if the tokens of two rows differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tokens", type=int, default=32768, help="of the prompt; default: 32768")
    parser.add_argument("--chunks", type=int, nargs="+", default=[512, 2048], help="default: 512 2048")
    parser.add_argument("--whole", nargs="*", choices=LIBRARIES, default=["torch"], help="default: torch")
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    options: Any = parser.parse_args()
    if options.row:
        library, folder, chunk = options.row
        print(json.dumps(asdict(run(library, Path(folder), tokens=options.tokens, chunk=int(chunk)))))
        return 0
    with tempfile.TemporaryDirectory() as made:
        make_model(Path(made), options.tokens + NEW_TOKENS)
        print(f"{options.tokens} prompt tokens; memory over that of the loaded model")
        print(f"{'':8}{'chunk':>8}{'forwards':>10}{'peak MB':>12}{'ratio':>8}")
        whole, seen = dict[str, Peak](), list[Peak]()
        for library in LIBRARIES:
            chunks = [options.tokens] if library in options.whole else []
            for chunk in [*chunks, *sorted(options.chunks, reverse=True)]:
                peak = in_a_process(library, Path(made), tokens=options.tokens, chunk=chunk)
                if chunk == options.tokens:
                    whole[library] = peak
                seen.append(peak)
                print(line(peak, whole), flush=True)
    same = all(peak.tokens == seen[0].tokens for peak in seen)
    print(f"tokens {'equal' if same else 'DIFFER'}")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
