"""Time of single tokens beside energy: outside every window, stored, shown, null where nobody can tell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.report.export.tables import export
from bench.report.story import Story
from bench.run import store
from bench.run.records import LatencyRecord, SlotRecord
from tests.bench.at_hand import quick
from tests.bench.processes import AS_ROOT, bench
from tests.bench.suites import PROMPTS, write_suite
from tests.tiny_models import save_tiny_llama

NEW_TOKENS = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latency")
    save_tiny_llama(folder / "llama")
    suite = write_suite(
        folder,
        backends=["mlx"],
        backend_options={},
        models={"full": {"name": "llama"}},
        gates={"ungated": {}, "two": {"plugin": "constant", "budget": {"model": "full", "batch": 2}}},
        generation={"max_new_tokens": NEW_TOKENS},
        protocol__min_window_s=0.1,
    )
    done = quick("run", str(suite), "--quiet", *AS_ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    return next((folder / "results").iterdir())


def test_every_configuration_is_timed_once_before_the_first_window(run: Path) -> None:
    stored = store.read(run)
    timed = stored.of(LatencyRecord)
    assert [(one.backend, one.gate) for one in timed] == [("mlx", "ungated"), ("mlx", "two")]
    kinds = [type(record) for record in stored.records]
    assert kinds.index(LatencyRecord) < kinds.index(SlotRecord)
    for one in timed:
        assert list(one.requests) == [prompt["id"] for prompt in PROMPTS]
        for request in one.requests.values():
            assert request.first_token_s is not None
            assert request.first_token_s > 0
            assert request.token_s is not None
            assert len(request.token_s) == NEW_TOKENS - 1
            assert min(request.token_s) > 0
            assert (request.device_peak_bytes or 0) > 10_000
            assert request.process_peak_bytes > 10_000_000


def test_its_figures_are_shown_and_exported(run: Path, tmp_path: Path) -> None:
    plain, copy, two = Story.of(run).summary.rows
    assert copy.a_a
    assert (copy.first_token_s, copy.timed_tokens, copy.process_peak_bytes) == (None, 0, None)
    for row in (plain, two):
        assert row.timed_tokens == len(PROMPTS) * (NEW_TOKENS - 1)
        assert 0 < (row.token_p50_s or 0) <= (row.token_p95_s or 0)
        assert row.token_p99_s is None  # 22 samples have no 99th percentile
    export([run], form="csv", out=tmp_path)
    rows = list(csv.DictReader((tmp_path / "configurations.csv").read_text().splitlines()))
    assert [row["token_p50_s"] == "" for row in rows] == [False, True, False]
    shown = bench("report", str(run), "--all", cwd=run, COLUMNS="80").stdout
    _, table = shown.split("Latency and memory, measured outside every window")
    assert max(len(line) for line in table.splitlines()[:8]) <= 80


def test_a_backend_that_has_no_tokens_to_wait_for_has_null(echo_run: Path) -> None:
    timed = store.read(echo_run).of(LatencyRecord)
    assert timed
    requests = [request for one in timed for request in one.requests.values()]
    assert all(request.first_token_s is request.token_s is None for request in requests)
    assert Story.of(echo_run).summary.rows[0].first_token_s is None
