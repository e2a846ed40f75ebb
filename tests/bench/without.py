"""Commands in one process that can't find the libraries of the extras, as after `pip install joulebench`.

python -m tests.bench.without FOLDER COMMANDS

FOLDER is where they run, COMMANDS a JSON list of lists of words. Prints a JSON list of pairs: the exit code,
and all that was printed.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

EXTRAS = (
    *("torch", "mlx", "mlx_lm", "transformers", "accelerate", "gguf"),
    *("safetensors", "tokenizers", "huggingface_hub"),
)


class Without:
    """A finder that does not find them; all else is left to the one behind it."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.split(".")[0] in EXTRAS else self._finder.find_spec(name, path, target)


def outcome(words: list[str]) -> tuple[Any, str]:
    """Of one command: exit code, and what it printed."""
    from bench.cli.app import main

    sys.argv = ["bench", *words]
    printed = io.StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            main()
    except SystemExit as ended:
        return ended.code, printed.getvalue()
    return 0, printed.getvalue()


if __name__ == "__main__":
    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
    os.chdir(sys.argv[1])
    print(json.dumps([outcome(words) for words in json.loads(sys.argv[2])]))
