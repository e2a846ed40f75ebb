"""One suite over every backend: what the harness may rely on, whichever library runs the model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from backends.base import Backend, ModelError, RequestError
from tests.contracts.models import MODEL_BACKENDS, PROMPT, generate, load_tiny, logits_apart
from tests.tiny_models import BOS, CONTEXT, EOS, LAYERS, SAVERS, edit_config


@pytest.fixture(
    scope="session",
    params=[*((name, model) for name in MODEL_BACKENDS for model in SAVERS), ("echo", "")],
    ids=lambda param: "-".join(param).rstrip("-"),
)
def backend(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]):
    name, model = request.param
    backend = load_tiny(name, tiny_folders.get(model))
    yield backend
    backend.close()


@pytest.fixture(scope="session", params=list(SAVERS))
def pair(request: pytest.FixtureRequest, tiny_folders: dict[str, Path]):
    """The same weights on PyTorch and on MLX."""
    return [load_tiny(name, tiny_folders[request.param]) for name in MODEL_BACKENDS]


@pytest.fixture
def llama(tiny_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a model folder that a test may damage."""
    return Path(shutil.copytree(tiny_folders["llama"], tmp_path / "llama"))


class Counting:
    """Stands in front of a model and keeps the length and the number of logits of each forward."""

    def __init__(self, model) -> None:
        self.model = model
        self.forwards: list[tuple[int, int]] = []

    def __call__(self, ids, **options):
        output = self.model(ids, **options)
        logits = output.logits if hasattr(output, "logits") else output
        self.forwards.append((ids.shape[1], logits.shape[1]))
        return output

    def __getattr__(self, name: str):
        return getattr(self.model, name)


def test_info_says_what_was_loaded(backend: Backend):
    info = backend.info
    assert info.context == CONTEXT
    assert info.dtype == "float32"
    assert info.device
    assert info.cache
    assert all(info.versions.values())
    assert info.stand_in == (info.backend == "echo")
    assert info.weight_bytes == info.parameters * 4


def test_text_goes_to_ids_and_back(backend: Backend):
    ids = backend.encode(PROMPT)
    assert ids[0] == BOS
    assert all(0 <= i < backend.info.vocabulary for i in ids)
    assert backend.decode_text(ids) == PROMPT


@pytest.mark.parametrize("new_tokens", [1, 2, 13])
def test_m_new_tokens_take_m_minus_one_forwards(backend: Backend, new_tokens: int):
    generated = generate(backend, backend.encode(PROMPT), max_new_tokens=new_tokens)
    assert len(generated.tokens) == new_tokens
    assert generated.forwards == new_tokens - 1


def test_forwards_reported_are_forwards_run(backend: Backend, monkeypatch: pytest.MonkeyPatch):
    if backend.info.stand_in:
        pytest.skip("no model to count at")
    ids = backend.encode(PROMPT)
    counting = Counting(backend._model)
    monkeypatch.setattr(backend, "_model", counting)
    generated = generate(backend, ids, max_new_tokens=9)
    prefill, *steps = counting.forwards
    assert prefill == (len(ids), 1), "one forward of the prompt, the output head at its last token only"
    assert steps == [(1, 1)] * generated.forwards


def test_tokens_are_the_argmax_of_the_logits(backend: Backend):
    ids = backend.encode(PROMPT)
    tokens = generate(backend, ids, max_new_tokens=20).tokens
    logits = backend.logits(ids + tokens[:-1])
    assert logits.dtype == np.float32
    assert logits.shape == (len(ids) + 19, backend.info.vocabulary)
    assert logits[len(ids) - 1 :].argmax(axis=1).tolist() == tokens
    through_the_cache = backend.logits_after(ids, tokens[:-1])
    assert through_the_cache.dtype == np.float32
    np.testing.assert_allclose(through_the_cache, logits[len(ids) :], atol=1e-4)


def test_sessions_do_not_see_each_other(backend: Backend):
    one, other = backend.encode(PROMPT), backend.encode("else")
    alone = [generate(backend, ids, max_new_tokens=12) for ids in (one, other)]
    sessions = [backend.prefill(one), backend.prefill(other)]
    backend.synchronize()
    assert [backend.decode(session, max_new_tokens=12, ignore_eos=True) for session in sessions] == alone


def test_a_session_is_used_up(backend: Backend):
    session = backend.prefill(backend.encode("once"))
    backend.decode(session, max_new_tokens=2, ignore_eos=True)
    with pytest.raises(RequestError, match="call prefill again"):
        backend.decode(session, max_new_tokens=2, ignore_eos=True)


@pytest.mark.parametrize(("end", "forwards"), [(1, 0), (2, 1), (3, 3), (4, 3), (5, 7), (9, 9)])
@pytest.mark.parametrize("name", [*MODEL_BACKENDS, "echo"])
def test_natural_stop_ends_at_the_next_look(name: str, llama: Path, end: int, forwards: int):
    """The end comes as new token `end` of at most 10; it is looked for after 1, 2, 4 and 8."""
    backend, ids = stopping_at(end, name, llama)
    free = generate(backend, ids, max_new_tokens=10, ignore_eos=True)
    stopped = generate(backend, ids, max_new_tokens=10, ignore_eos=False)
    assert len(free.tokens) == 10
    assert stopped.tokens == free.tokens[:end]
    assert stopped.forwards == forwards


def stopping_at(end: int, name: str, folder: Path) -> tuple[Backend, list[int]]:
    """A backend and a prompt whose greedy text ends at new token `end`."""
    backend = load_tiny(name, folder)
    if name == "echo":
        if end == 1:
            pytest.skip("the stand-in always says two tokens")
        return backend, [BOS] * (end - 1)
    for ids in map(backend.encode, "abcdefghijklmnopqrstuvwxyz"):
        *before, last = generate(backend, ids, max_new_tokens=end).tokens
        if last not in before:
            (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [last, EOS]}))
            return load_tiny(name, folder), ids
    raise AssertionError("every text repeats itself")


def test_text_without_an_end_runs_to_the_limit(backend: Backend):
    ids = backend.encode(PROMPT)
    free = generate(backend, ids, max_new_tokens=10, ignore_eos=True)
    assert EOS not in free.tokens
    assert generate(backend, ids, max_new_tokens=10, ignore_eos=False) == free


def test_requests_that_do_not_fit_are_refused(backend: Backend):
    vocabulary = backend.info.vocabulary
    for ids, said in [
        ([], "no tokens"),
        ([5] * (CONTEXT + 1), f"{CONTEXT + 1} tokens, but the context is {CONTEXT}"),
        ([5, vocabulary], f"5 to {vocabulary}"),
        ([-1, 5], "-1 to 5"),
    ]:
        with pytest.raises(RequestError, match=said):
            backend.prefill(ids)
        with pytest.raises(RequestError, match=said):
            backend.logits(ids)


def test_new_tokens_have_to_fit_the_context(backend: Backend):
    ids = [5] * (CONTEXT - 3)
    assert len(generate(backend, ids, max_new_tokens=4).tokens) == 4
    with pytest.raises(RequestError, match="at most 4 generated tokens"):
        generate(backend, ids, max_new_tokens=5)
    with pytest.raises(RequestError, match="max_new_tokens = 0"):
        generate(backend, ids, max_new_tokens=0)


@pytest.mark.parametrize("name", [*MODEL_BACKENDS, "echo"])
def test_fewer_layers(name: str, tiny_folders: dict[str, Path]):
    full, short = (load_tiny(name, tiny_folders["llama"], layers) for layers in (None, 1))
    assert short.info.layers == 1 < full.info.layers
    assert short.info.parameters <= full.info.parameters
    with pytest.raises(ModelError, match=f"give 1 to {full.info.layers}"):
        load_tiny(name, tiny_folders["llama"], full.info.layers + 1)
    with pytest.raises(ModelError, match="layers = 0"):
        load_tiny(name, tiny_folders["llama"], 0)


@pytest.mark.parametrize("model", list(SAVERS))
@pytest.mark.parametrize("name", list(MODEL_BACKENDS))
def test_first_layers_are_the_full_model_cut_short(name: str, model: str, tiny_folders: dict[str, Path]):
    """Cutting the layer list of the whole model by hand gives the same logits."""
    full, short = (load_tiny(name, tiny_folders[model], layers) for layers in (None, 2))
    ids = full.encode(PROMPT)
    whole = full.logits(ids)
    decoder = getattr(full._model, full._model.base_model_prefix if name == "torch" else "model")
    stack = "layers" if hasattr(decoder, "layers") else "h"
    setattr(decoder, stack, getattr(decoder, stack)[:2])
    if hasattr(decoder, "config"):
        decoder.config.num_hidden_layers = 2
    np.testing.assert_allclose(short.logits(ids), full.logits(ids), atol=1e-6)
    assert np.abs(short.logits(ids) - whole).max() > 0.1


def test_the_libraries_agree(pair: list[Backend]):
    on_torch, on_mlx = pair
    ids = on_torch.encode(PROMPT)
    assert on_mlx.encode(PROMPT) == ids
    assert on_mlx.info.parameters == on_torch.info.parameters
    np.testing.assert_allclose(on_mlx.logits(ids), on_torch.logits(ids), atol=logits_apart(on_mlx))
    assert generate(on_mlx, ids, max_new_tokens=40) == generate(on_torch, ids, max_new_tokens=40)


def test_a_rope_base_that_stands_where_mlx_does_not_look_is_found(llama: Path):
    edit_config(llama, without=("rope_theta",))
    on_torch, on_mlx = (load_tiny(name, llama) for name in MODEL_BACKENDS)
    ids = on_torch.encode(PROMPT)
    assert np.abs(on_torch.logits(ids) - on_mlx.logits(ids)).max() < 1e-4


def test_a_rope_base_that_the_libraries_read_differently_shows_in_the_logits(llama: Path):
    edit_config(llama, rope_theta=10000.0)  # beside another one in rope_parameters
    on_torch, on_mlx = (load_tiny(name, llama) for name in MODEL_BACKENDS)
    ids = on_torch.encode(PROMPT)
    assert np.abs(on_torch.logits(ids) - on_mlx.logits(ids)).max() > 0.01


@pytest.mark.parametrize("model", list(SAVERS))
def test_torch_tokens_are_those_of_generate(model: str, tiny_folders: dict[str, Path]):
    from transformers import AutoModelForCausalLM

    backend = load_tiny("torch", tiny_folders[model])
    ids = backend.encode(PROMPT)
    library = AutoModelForCausalLM.from_pretrained(tiny_folders[model])
    output = library.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
        max_new_tokens=30,
        do_sample=False,
    )
    ours = generate(backend, ids, max_new_tokens=30, ignore_eos=False)
    assert ours.tokens == output[0, len(ids) :].tolist()


@pytest.mark.parametrize("model", list(SAVERS))
def test_mlx_tokens_are_those_of_generate_step(model: str, tiny_folders: dict[str, Path]):
    import mlx.core as mx
    from mlx_lm.generate import generate_step
    from mlx_lm.utils import load_model

    backend = load_tiny("mlx", tiny_folders[model])
    ids = backend.encode(PROMPT)
    library, _ = load_model(tiny_folders[model])
    theirs = [token for token, _ in generate_step(mx.array(ids), library, max_tokens=30)]
    assert generate(backend, ids, max_new_tokens=30).tokens == theirs


@pytest.mark.parametrize("name", list(MODEL_BACKENDS))
class TestFoldersThatCannotBeUsed:
    def refused(self, name: str, folder: Path, said: str) -> None:
        with pytest.raises(ModelError, match=said):
            load_tiny(name, folder)

    def test_no_config(self, name: str, tmp_path: Path):
        self.refused(name, tmp_path / "nowhere", "config.json is missing")

    def test_no_safetensors(self, name: str, llama: Path):
        (llama / "model.safetensors").rename(llama / "pytorch_model.bin")
        self.refused(name, llama, "the only weight format that is loaded")

    def test_no_tokenizer(self, name: str, llama: Path):
        (llama / "tokenizer.json").unlink()
        self.refused(name, llama, r"tokenizer.json is missing")

    def test_unknown_architecture(self, name: str, llama: Path):
        edit_config(llama, model_type="nonsense")
        self.refused(name, llama, "nonsense")

    def test_truncated_weights(self, name: str, llama: Path):
        path = llama / "model.safetensors"
        path.write_bytes(path.read_bytes()[:5000])
        self.refused(name, llama, "can.t be read")

    def test_a_weight_is_missing(self, name: str, llama: Path):
        weights = load_file(llama / "model.safetensors")
        del weights[f"model.layers.{LAYERS - 1}.mlp.up_proj.weight"]
        save_file(weights, llama / "model.safetensors", metadata={"format": "pt"})
        self.refused(name, llama, "up_proj")

    def test_a_weight_too_many(self, name: str, llama: Path):
        weights = load_file(llama / "model.safetensors")
        weights["model.extra.weight"] = np.ones(2, dtype=np.float32)
        save_file(weights, llama / "model.safetensors", metadata={"format": "pt"})
        self.refused(name, llama, "extra")
