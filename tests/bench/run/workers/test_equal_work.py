"""Two backends do equal work if rounding explains what lies between them; else the cause is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, MistralConfig, MistralForCausalLM

from backends.about import LOGIT_TOLERANCE
from backends.base import BackendInfo
from backends.torch.rounded import RoundedProducts
from bench.errors import RunFailed
from bench.run.observed import SameLogits
from bench.run.workers import equal_work
from bench.run.workers.messages import AskLogits, Load, LogitsSent, Message, ModelToLoad
from bench.run.workers.process import WorkerRefused
from bench.run.workers.worker import Worker
from bench.typed import from_json, to_json
from tests.tiny_models import ENDS, VOCABULARY, edit_config, random_model, save_tiny_llama, save_tokenizer

LONG = [1, *np.random.default_rng(3).integers(4, VOCABULARY, 39).tolist()]
PLENTY = 1 << 40


class InProcess:
    """A worker that obeys in this process, by the same JSON."""

    def __init__(self, backend: str, folder: Path, dtype: str) -> None:
        self.backend = backend
        self.worker = Worker(backend)
        options = {"dtype": dtype} | ({"device": "cpu"} if backend == "torch" else {})
        self.ask(Load(models={"full": ModelToLoad(folder=folder, options=options)}))

    def ask(self, message: Message[Any], *, deadline_s: float = 0.0) -> Any:
        sent = json.loads(json.dumps({"command": message.command, **to_json(message)}))
        reply = json.loads(json.dumps(self.worker.obey(sent)))
        if reply.get("error"):
            raise WorkerRefused(reply["error"]["what"])
        return from_json(message.answer(), reply)

    def close(self) -> None:
        for model in self.worker.models.values():
            model.close()


def check(
    folder: Path, dtype: str = "float32", *, ids: list[int] = LONG, free_bytes: int = PLENTY
) -> SameLogits:
    workers: Any = tuple(InProcess(name, folder, dtype) for name in ("torch", "mlx"))
    pair = equal_work.Pair(
        workers=workers,
        model="full",
        info=workers[0].worker.models["full"].info,
        config=json.loads((folder / "config.json").read_text()),
    )
    prompts = {"short": ids[:3], "long": ids}
    try:
        return equal_work.check(pair, (prompts, prompts), free_bytes=free_bytes)
    finally:
        for worker in workers:
            worker.close()


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("equal") / "llama")


@pytest.fixture
def wrong_base(llama: Path, tmp_path: Path) -> Path:
    shutil.copytree(llama, tmp_path / "wrong")
    edit_config(tmp_path / "wrong", rope_theta=10000.0)  # mlx-lm reads this one, transformers the other
    return tmp_path / "wrong"


def save(model: Any, folder: Path, **config_keys: object) -> Path:
    model.save_pretrained(folder)
    edit_config(folder, **config_keys)
    return save_tokenizer(folder)


def sizes(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 96,
        **ENDS,
        **more,
    }


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_rounding_is_let_through_in_every_type(llama: Path, dtype: str) -> None:
    found = check(llama, dtype)
    assert found.holds
    assert (found.prompt, found.probe_tokens) == ("long", len(LONG))
    assert found.cause == ""
    assert found.apart is not None
    if dtype == "float32":
        assert found.apart < 1e-5
        assert found.same_tokens == 1.0
        assert found.float32_apart is None
    else:
        assert found.float32_apart is not None
        assert found.float32_apart < 1e-5 < found.apart
        assert found.rounding is not None
        assert found.apart < 2 * sum(found.rounding)  # what both are from float32 explains it


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_wrong_rope_base_is_refused_in_every_type_and_named(wrong_base: Path, dtype: str) -> None:
    with pytest.raises(
        RunFailed, match=r"logits in float32 differ by \d+ % .*positions \(rope_theta = 10000\.0"
    ):
        check(wrong_base, dtype)


def test_where_memory_has_no_room_the_first_layers_are_compared_in_float32(
    llama: Path, wrong_base: Path
) -> None:
    found = check(llama, "bfloat16", free_bytes=0)
    assert (found.float32_layers, found.rounding) == (1, None)
    with pytest.raises(RunFailed, match=r"logits in float32 differ .*positions"):
        check(wrong_base, "bfloat16", free_bytes=0)


@pytest.fixture
def torch_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a device would: what goes into every float32 product has 10 bits; the CPU's reference is exact."""
    usual = Worker.logits

    def logits(worker: Worker, message: AskLogits) -> LogitsSent:
        if worker.backend != "torch" or message.product_bits is not None:
            return usual(worker, message)
        with RoundedProducts(10):
            return usual(worker, message)

    monkeypatch.setattr(Worker, "logits", logits)


@pytest.mark.usefixtures("torch_in_tf32")
def test_tf32_is_let_through_and_named(llama: Path) -> None:
    found = check(llama)
    assert found.holds
    assert found.apart is not None
    assert found.apart > equal_work.EXACT
    assert "one of them multiplies float32 in TF32" in found.cause
    assert found.from_cpu is not None
    assert found.from_cpu[0] > 100 * found.from_cpu[1]


@pytest.mark.usefixtures("torch_in_tf32")
def test_in_tf32_a_wrong_rope_base_is_refused_all_the_same(wrong_base: Path) -> None:
    with pytest.raises(RunFailed, match=r"positions \(rope_theta = 10000\.0") as refused:
        check(wrong_base)
    assert "from float32 on the CPU torch is 0." in str(refused.value)


def test_tolerances_are_measured_on_the_model_where_a_backend_can(llama: Path) -> None:
    exact, half = check(llama), check(llama, "bfloat16")
    assert exact.rounded is not None
    assert exact.tolerance == pytest.approx(4 * exact.rounded)
    assert half.float32_tolerance == exact.tolerance
    assert 4 * exact.tolerance < half.tolerance < 16 * exact.tolerance  # 7 bits for 10
    without = check(llama, free_bytes=0)
    assert (without.rounded, without.tolerance) == (None, LOGIT_TOLERANCE["float32"])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_activation_that_one_library_approximates_is_named_and_let_through(
    dtype: str, tmp_path: Path
) -> None:
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25}
    config = GPTNeoXConfig(**sizes(hidden_act="gelu", intermediate_size=256, rope_parameters=rope))
    folder = save(
        random_model(GPTNeoXForCausalLM, config), tmp_path / "neox", rotary_emb_base=10000, rotary_pct=0.25
    )
    found = check(folder, dtype)
    assert found.holds
    assert "the activation (hidden_act = gelu)" in found.cause
    assert found.same_tokens == 1.0


def test_a_sliding_window_that_one_library_ignores_is_named_beyond_it_only(tmp_path: Path) -> None:
    config = MistralConfig(**sizes(sliding_window=24, num_key_value_heads=2))
    folder = save(random_model(MistralForCausalLM, config), tmp_path / "mistral")
    assert check(folder, ids=LONG[:20]).cause == ""
    with pytest.raises(RunFailed, match="all 40 do: one of them ignores sliding_window = 24"):
        check(folder)


def test_a_type_that_breaks_one_of_them_is_named() -> None:
    found = SameLogits(
        model="full",
        backends=("torch", "mlx"),
        probe_tokens=9,
        same_ids=True,
        logit_difference=9.0,
        apart=0.5,
        tolerance=0.05,
        float32_layers=2,
        float32_apart=1e-6,
        float32_tolerance=5e-3,
        rounding=(0.002, float("inf")),
    )
    assert not found.holds
    said = equal_work._rounding(found, "float16")
    assert said.startswith("in float32 they agree, and rounding to float16 changes torch 0.2 % and mlx more")


def test_prompts_that_are_tokenised_differently_are_named_with_the_place(llama: Path) -> None:
    first, other = ({"a": [1, 5, 6]}, {"a": [1, 5, 7, 8]})
    workers: Any = tuple(type("W", (), {"backend": name}) for name in ("torch", "mlx"))
    pair = equal_work.Pair(workers=workers, model="full", info=None, config={})  # type: ignore[arg-type]
    with pytest.raises(RunFailed, match=r"'a' differently from token 3 on \(\[6\] and \[7, 8\]\)"):
        equal_work.check(pair, (first, other), free_bytes=0)


def test_how_far_apart_is_a_share_that_a_shift_of_all_logits_does_not_change() -> None:
    one = np.random.default_rng(1).normal(size=(3, 50)).astype(np.float32)
    assert equal_work.apart(one, one + 7) < 1e-6
    assert equal_work.apart(one, 2 * one) == pytest.approx(0.5)
    assert equal_work.apart(one, one[:2]) == float("inf")
    assert equal_work.apart(one, one * np.float32("nan")) == float("inf")


def test_of_an_engine_that_gives_no_logits_the_ids_are_compared() -> None:
    workers: Any = tuple(SimpleNamespace(backend=name) for name in ("torch", "llama_cpp"))
    pair = equal_work.Pair(workers=workers, model="full", info=cast(BackendInfo, None), config={})
    found = equal_work.check(pair, ({"a": LONG}, {"a": LONG}), free_bytes=PLENTY)
    assert found.holds
    assert (found.logit_difference, found.prompt) == (None, "a")
    with pytest.raises(
        RunFailed, match=r"torch and llama_cpp tokenise prompt 'a' differently from token 3 on"
    ):
        equal_work.check(pair, ({"a": LONG}, {"a": [*LONG[:2], 0, *LONG[2:]]}), free_bytes=PLENTY)
