import time

import pytest

from backends.base import ModelError, RequestError
from backends.cut import FULL, Cut
from backends.echo import load as echo
from backends.guard import Observed, judge


def cpu_s(backend: echo.EchoBackend, *, new_tokens: int) -> float:
    start_s = time.thread_time()
    backend.decode(backend.prefill([echo.BOS]), max_new_tokens=new_tokens, ignore_eos=True)
    return time.thread_time() - start_s


def test_says_the_prompt_and_ends():
    backend = echo.load(cpu_s_per_token=0)
    generated = backend.decode(backend.prefill(backend.encode("hé")), max_new_tokens=50, ignore_eos=False)
    assert generated.tokens[-1] == echo.EOS
    assert backend.decode_text(generated.tokens) == "hé"


def test_says_it_again_if_told_to_go_on():
    backend = echo.load(cpu_s_per_token=0)
    generated = backend.decode(backend.prefill(backend.encode("ab")), max_new_tokens=7, ignore_eos=True)
    assert backend.decode_text(generated.tokens) == "abab"


def test_takes_the_cpu_time_it_was_told():
    backend = echo.load(cpu_s_per_token=0.002)
    assert cpu_s(backend, new_tokens=11) == pytest.approx(0.0202, rel=0.2)


def test_fewer_layers_are_proportionally_cheaper():
    backend = echo.load(cpu_s_per_token=0.008, layers=2)
    assert cpu_s(backend, new_tokens=11) == pytest.approx(0.0202, rel=0.2)


@pytest.mark.parametrize("options", [{"layers": 9}, {"cpu_s_per_token": -1.0}, {"context": 0}])
def test_refuses_options_out_of_range(options: dict[str, float]):
    with pytest.raises(ModelError, match=next(iter(options))):
        echo.load(**options)


def test_takes_any_cut_and_says_that_nothing_was_left_out():
    backend = echo.load(cpu_s_per_token=0)
    ids, cut = backend.encode("hé"), Cut(mlp_keep=0.5, drop_blocks=(7,))
    backend.ready(cut)
    runs = [backend.decode(backend.prefill(ids, c), max_new_tokens=3, ignore_eos=True) for c in (FULL, cut)]
    observed = Observed(
        full=runs[0],
        cut=runs[1],
        full_logits=backend.logits_after(ids, ids[:2]),
        cut_logits=backend.logits_after(ids, ids[:2], cut),
    )
    assert judge(cut, observed).outcome == "gate inactive"
    assert backend.shape(cut).weight_bytes == 0
    with pytest.raises(RequestError, match="layers 0 to 7"):
        backend.ready(Cut(drop_blocks=(8,)))


def test_scores_and_hidden_states_have_the_shapes_of_a_model():
    backend = echo.load(cpu_s_per_token=0)
    ids = backend.encode("four")
    assert backend.score(ids).shape == (4,)
    assert (backend.score(ids) < 0).all()
    assert backend.hidden(ids).shape == (5, echo.VOCABULARY)
    with pytest.raises(RequestError, match="use torch or mlx"):
        backend.redundancy(ids)
