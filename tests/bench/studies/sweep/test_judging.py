"""Quality of the arms of a sweep, on a random model that has a chat template."""

from __future__ import annotations

import json
from pathlib import Path

from bench.run import store
from bench.run.records import RequestRecord
from tests.bench.at_hand import quick
from tests.bench.processes import AS_ROOT
from tests.bench.suites import write_suite
from tests.tiny_models import save_tiny_llama

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def test_answers_are_compared_after_the_prompts_as_the_run_wrote_them(tmp_path: Path) -> None:
    folder = save_tiny_llama(tmp_path / "chatty")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    write_suite(
        tmp_path,
        backends=["torch"],
        backend_options={"torch": {"device": "cpu"}},
        models={"full": {"name": str(folder)}},
        gates={"ungated": {}},
        protocol__a_a=False,
        protocol__latency_prompts=0,
        protocol__load_deadline_s=600.0,
    )
    done = quick(
        "sweep",
        "suite.toml",
        "--cut",
        "mlp_keep=0.5",
        "--window",
        "16",
        "--stride",
        "8",
        "--json",
        *AS_ROOT,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    [cut] = [arm for arm in json.loads(done.stdout.splitlines()[-1])["configurations"] if arm["cut"]]
    assert cut["answers"]["kl"]["mean"] > 0
    run = store.read(next((tmp_path / "results").iterdir()))
    plain = {len(prompt.text) + 1 for prompt in run.prompts}
    assert not plain & {request.prompt_tokens for request in run.of(RequestRecord)}
