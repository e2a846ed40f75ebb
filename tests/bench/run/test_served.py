"""Runs against servers that are already there: real ones, one that counts wrong, one that is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.llama_cpp.load import ABOUT
from backends.mlx.load import ABOUT as MLX
from bench.report.export.tables import TABLES
from bench.report.story import Story
from bench.run.observed import NOT_SHOWN
from tests.bench.processes import AS_ROOT, bench, of_type
from tests.bench.runs import run_folder
from tests.bench.suites import write_suite
from tests.gguf_files import U32, write_llama
from tests.servers import llama_server, mlx_server, stand_in
from tests.tiny_models import save_tiny_llama

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("served") / "model")


@pytest.fixture(scope="module")
def llama(model: Path) -> Iterator[str]:
    if ABOUT.missing:
        pytest.skip(f"type: pip install '{ABOUT.install}'")
    file = write_llama(model, model.parent / "tiny.gguf", **{"llama.context_length": (U32, 256)})
    with llama_server(file) as url:
        yield url


def suite_for(folder: Path, url: str, **changes: object) -> Path:
    return write_suite(
        folder,
        backends=["openai"],
        backend_options=None,
        models={"full": {"name": "tiny", "url": url}},
        **({"gates": {"ungated": {}}, "protocol__a_a": False} | changes),
    )


def test_llama_cpps_server_is_measured_alone_and_with_four_at_a_time(llama: str, tmp_path: Path) -> None:
    four = {"plugin": "constant", "budget": {"model": "full", "batch": 4}}
    suite_for(tmp_path, llama, gates={"ungated": {}, "four": four})
    done = bench("run", "suite.toml", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"served: {NOT_SHOWN}" in done.stdout
    requests = of_type(tmp_path / "results", "request")
    assert {(r["gate"], r["batch"], len(r["rows"])) for r in requests} == {("ungated", 1, 1), ("four", 4, 4)}
    assert all(new == 4 and prompt > 4 for request in requests for prompt, new in request["rows"])
    assert all(r["gated_s"] < r["prefilled_s"] <= r["end_s"] for r in requests)
    summary = Story.of(run_folder(tmp_path / "results")).summary
    assert "served" in {caution.code for caution in summary.cautions}
    assert all(row.served and row.token_match_percent is None for row in summary.rows)
    assert all(row.first_token_s and row.gross_per_repeat_j for row in summary.rows)
    assert all(row.process_peak_bytes is None for row in summary.rows)  # the worker's is not the server's
    (session,) = of_type(tmp_path / "results", "session")
    assert session["loaded"]["openai/full"]["served"]["processes"]


@pytest.mark.skipif(bool(MLX.missing), reason=f"type: pip install '{MLX.install}'")
def test_mlx_lms_server_is_measured_from_the_command_line(model: Path, tmp_path: Path) -> None:
    with mlx_server(model) as url:
        (tmp_path / "x.txt").write_text("a question\n")
        options = ["--url", url, "--prompts", "x.txt", "--tokens", "4"]
        done = bench("run", "default_model", *options, "--save-suite", "s.toml", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "s.toml").read_text().partition("[protocol]")
        lengths = "blocks = 1\nmin_window_s = 0.3\nidle_s = 0.2\nself_test_s = 0\na_a = false\n"
        text = text[0] + text[1] + text[2].replace("minutes = 3.0\n", lengths)
        (tmp_path / "s.toml").write_text(text)
        done = bench("run", "s.toml", "--energy", "modelled", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(r["rows"][0][1] in range(1, 5) for r in of_type(tmp_path / "results", "request"))


def test_a_server_that_counts_wrong_has_void_windows_and_the_run_has_failed(tmp_path: Path) -> None:
    with stand_in() as (told, url):
        told.wrong_at_tokens = 4
        suite_for(tmp_path, url, energy={"source": "simulated", "interval_ms": 20})
        done = bench("run", "suite.toml", *AS_ROOT, cwd=tmp_path)
    assert "void (the server counted 5 generated tokens, but 4 were asked for)" in done.stdout
    assert done.returncode == 1
    assert "no window of the run counts: the server counted 5 generated tokens" in done.stderr
    assert "--void-again" in done.stderr
    assert "Warning" not in done.stderr
    windows = of_type(tmp_path / "results", "slot")
    assert windows
    assert all(one["joules"] is None and one["error"] for one in windows)


def test_modelled_joules_need_the_servers_process(tmp_path: Path) -> None:
    with stand_in() as (_, url):  # in this process, which measures
        suite_for(tmp_path, url)
        done = bench("run", "suite.toml", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 1
    assert "are not estimated, as its CPU time is not known" in done.stderr


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_server_that_is_elsewhere_is_refused_at_once(tmp_path: Path, more: list[str]) -> None:
    done = bench("run", "tiny", "--url", "http://203.0.113.7:8080/v1", *more, *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert "203.0.113.7, which is not this machine" in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backend", "openai"], "has no url"),
        (["--url", "http://127.0.0.1:1/v1", "--backend", "echo"], "no backend asks a server"),
        (["--url", "http://127.0.0.1:1/v1", "--pp", "8"], "can't give token ids"),
        (["--url", "http://127.0.0.1:1/v1", "--url", "http://127.0.0.1:2/v1"], "2 urls for 1 models"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    done = bench("run", "echo", *options, *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_tables_say_what_was_served() -> None:
    assert "served" in TABLES["configurations"].model_fields
