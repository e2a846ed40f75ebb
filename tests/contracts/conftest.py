"""Model folders shared by the contract suites."""

from pathlib import Path

import pytest
import torch

from tests.tiny_models import SAVERS


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a small random model for each architecture."""
    torch.set_num_threads(1)  # threads only get in the way of matrices this small
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVERS.items()}
