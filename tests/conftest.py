"""Shared fixtures."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # here and in every process that is started: tests run side by side
os.environ["PYTHONDONTWRITEBYTECODE"] = ""  # none of them compiles the product for itself

import pytest

from bench.run.fetch import ensure

TOGETHER = (
    *("bench/report", "contracts/test_families.py", "contracts"),
    *(
        "bench/cli/test_look.py",
        "bench/test_campaign.py",
        "bench/run/ranks",
        "bench/run/test_failed_meter.py",
        "bench/run/test_privilege.py",
        "bench/studies/sweep/test_findings.py",
        "bench/studies/cuts/test_quality.py",
        "bench/studies/claims/test_claim_suite.py",
        "bench/studies/claims/test_repeated.py",
        "test_architecture.py",
    ),
)
"""Tests that share what is dear to make, or the modes of folders: each of these runs in one process."""

LONG = (
    *("bench/cli", "bench/run", "bench/studies", "bench/test_embedded.py", "bench/test_light.py"),
    *("docs", "energy/lab", "outside"),
)
"""Where a test takes seconds, because it waits for processes: these begin, none is left at the end."""

SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _path(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Name its group, for runs in several processes."""
    groups = [group for group in TOGETHER if _path(item).startswith(group)]
    if groups:
        item.add_marker(pytest.mark.xdist_group(groups[0]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins."""
    items.sort(key=lambda item: not _path(item).startswith(LONG))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The device of the contract suites' torch models; `mps-like` refuses on any machine what MPS refuses."""
    parser.addoption("--device", choices=("cpu", "mps", "mps-like"), default="cpu")


def pytest_configure(config: pytest.Config) -> None:
    """The same wherever the tests are started: they keep their bytecode, and Ctrl-C reaches their processes.

    A shell has what it starts in the background ignore Ctrl-C, and children inherit that.
    """
    sys.dont_write_bytecode = False
    os.environ["JOULEBENCH_TEST_DEVICE"] = config.getoption("--device")
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is imported by now stays: the search for garbage that a closed model makes leaves it out."""
    gc.freeze()


@pytest.fixture(autouse=True)
def signals_are_left_alone() -> Iterator[None]:
    """A handler that a test leaves behind ends this process in another test: a closed pipe kills it."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """Folder of the embedded model; fetched into the user's cache the first time."""
    found = ensure("smollm2-135m", None, progress=lambda *_: None)
    assert found.folder is not None
    return found.folder


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench report` draws nothing: its figures take most of its time, and few tests look at them."""
    from bench.report.page import make
    from tests.bench.report.page.stubs import nothing

    monkeypatch.setattr(make, "write_page", partial(make.write_page, drawings=nothing))
