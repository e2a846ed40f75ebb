"""What to type to install something into the environment that this program runs in."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib import util


def pip(*arguments: str) -> str:
    """A call of pip that works as typed, whether or not the environment is activated.

    Args:
        arguments: of pip, such as `install` and a requirement.
    """
    said = " ".join(_quoted(argument) for argument in arguments)
    folder = os.path.dirname(sys.executable)
    if util.find_spec("pip") is None:
        uv = f"uv pip {said} --python {_python()}"
        return uv if shutil.which("uv") else f"{_python()} -m ensurepip && {_python()} -m pip {said}"
    if os.path.dirname(shutil.which("pip") or "") == folder:
        return f"pip {said}"
    return f"{_python()} -m pip {said}"


def _quoted(argument: str) -> str:
    """In the quotes that a requirement with an extra needs, in zsh too."""
    return argument if argument.replace("-", "").replace("_", "").isalnum() else f"'{argument}'"


def _python() -> str:
    """This Python, from the folder that the user is in where that is shorter."""
    below = os.path.relpath(sys.executable)
    return shlex.quote(sys.executable if below.startswith(os.pardir) else below)
