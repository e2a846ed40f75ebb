"""Two engines on one folder with both forms of a model: the same ids, forwards and answers."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from backends.llama_cpp.load import ABOUT
from bench.report.story import Story
from tests.bench.processes import AS_ROOT, bench, of_type
from tests.bench.suites import write_suite
from tests.gguf_files import write_llama
from tests.tiny_models import save_tiny_llama

pytestmark = [
    pytest.mark.skipif(bool(ABOUT.missing), reason=f"type: pip install '{ABOUT.install}'"),
    pytest.mark.usefixtures("no_figures"),
]


def test_llama_cpp_runs_beside_torch_and_the_report_says_what_was_compared(tmp_path: Path) -> None:
    write_llama(save_tiny_llama(tmp_path / "model"), tmp_path / "model" / "tiny.gguf")
    suite = write_suite(
        tmp_path,
        backends=["torch", "llama_cpp"],
        backend_options={"torch": {"device": "cpu"}, "llama_cpp": {"threads": 1}},
        models={"full": {"name": str(tmp_path / "model")}},
        gates={"ungated": {}},
        protocol__a_a=False,
    )
    done = bench("run", str(suite), *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "make the same token ids of every prompt" in done.stdout
    answered = defaultdict(set)
    for request in of_type(tmp_path / "results", "request"):
        answered[request["prompt_id"]].add((request["forwards"], tuple(request["tokens"])))
    assert all(len(answers) == 1 for answers in answered.values())
    (session,) = of_type(tmp_path / "results", "session")
    loaded = session["loaded"]["llama_cpp/full"]
    assert loaded["settings"] == {"threads": 1, "prefill_chunk": 512, "gpu_layers": 0}
    (run,) = (tmp_path / "results").iterdir()
    assert "logits not compared" in {caution.code for caution in Story.of(run).summary.cautions}
    assert not (run / "worker-llama_cpp.log").read_text()
