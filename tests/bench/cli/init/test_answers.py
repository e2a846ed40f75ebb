"""What can be answered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.cli.init import answers
from bench.errors import UserError


def test_bad_answers_are_told_with_the_option_they_belong_to() -> None:
    with pytest.raises(UserError, match="unknown --question 'gat'; did you mean 'gate'"):
        answers.checked_question("gat")
    for text in ("soon", "0", "-5", "nan", "inf"):
        with pytest.raises(UserError, match="--minutes"):
            answers.checked_minutes(text)
    assert answers.checked_minutes("7.5") == 7.5


def test_nobody_waits_for_a_library_before_the_first_question() -> None:
    code = (
        "import sys, bench.cli.init.answers, bench.cli.init.command, bench.suite.models\n"
        "print([name for name in ('numpy', 'scipy', 'pandas', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
