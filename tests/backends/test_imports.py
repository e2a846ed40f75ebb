"""Options are checked against `load` in a process that runs no model, so that has to be cheap."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "mlx", "mlx_lm")
LIGHT = ("about", "base", "cut", "guard", "ledger", "echo.load", "mlx.load", "torch.load")


def test_factories_come_without_their_libraries():
    code = (
        f"import sys; {'; '.join(f'import backends.{name}' for name in LIGHT)}; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
