"""The whole torch backend on a device that refuses what MPS refuses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.base import Backend, ModelError
from backends.cut import FULL, Cut
from backends.torch import load as on_torch
from backends.torch.bits import EightBits
from tests.backends.mps_like import MpsLike, mps_like
from tests.contracts.models import PROMPT, generate
from tests.contracts.test_cuts import ALL, BITS, BITS_KL_NATS, kl_nats
from tests.tiny_models import SAVERS

LIKE_OTHERS = ("no attention", "no block 0", "kv and mlp", "8 bits", "4 bits")
"""No operation on the device that another cut, or the same on another architecture, has not."""


@pytest.fixture(scope="module")
def mode() -> Iterator[MpsLike]:
    with mps_like() as mode:
        yield mode


@pytest.fixture(scope="module", params=list(SAVERS))
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mode: MpsLike
) -> tuple[Backend, Backend]:
    """The same weights on the cpu and on the device."""
    folder = SAVERS[request.param](tmp_path_factory.mktemp("like") / request.param)
    on_cpu, on_device = (on_torch.load(folder=folder, device=device) for device in ("cpu", "mps"))
    return on_cpu, on_device


def test_float64_is_refused(mode: MpsLike) -> None:
    one = torch.ones(3, device="mps")
    for wide in (
        lambda: one.double(),
        lambda: torch.ones(3, device="mps", dtype=torch.float64),
        lambda: torch.ones(3, dtype=torch.float64).to("mps"),
        lambda: torch.cumsum(one, 0, dtype=torch.float64),
    ):
        with pytest.raises(TypeError, match="float64"):
            wide()
    assert one.cpu().double().dtype is torch.float64


def test_two_devices_and_what_has_no_kernel_are_refused(mode: MpsLike) -> None:
    one = torch.ones(3, 3, device="mps")
    with pytest.raises(RuntimeError, match="same device"):
        one + torch.ones(3, 3)
    with pytest.raises(NotImplementedError, match="no kernel for the MPS device"):
        torch.linalg.eigvals(one)
    assert (one + torch.tensor(2.0)).tolist() == [[3.0] * 3] * 3


def test_what_the_host_reads_is_counted(mode: MpsLike) -> None:
    one, before = torch.ones(3, device="mps"), mode.reads
    one.sum().mul(2).exp()
    assert mode.reads == before
    float(one.sum())
    one[one > 0]
    assert mode.reads == before + 2


@pytest.mark.parametrize(("outputs", "inputs"), [(50257 % 320, 64), (64, 40), (33, 33)])
def test_odd_matrices_in_8_bits_are_filled_up(mode: MpsLike, outputs: int, inputs: int) -> None:
    of_one = torch.Generator().manual_seed(1)
    weight, hidden = (torch.randn(rows, inputs, generator=of_one) for rows in (outputs, 5))
    with pytest.raises(RuntimeError, match="N % 32 == 0"):
        torch.ops.aten._weight_int8pack_mm(
            hidden.to("mps"), weight.to(torch.int8).to("mps"), torch.ones(outputs).to("mps")
        )
    got = EightBits(weight.to("mps"))(hidden.to("mps"))
    assert got.shape == (5, outputs)
    exact = hidden @ weight.T
    assert (got.cpu() - exact).pow(2).mean() < 0.02**2 * exact.pow(2).mean()


@pytest.mark.parametrize(
    ("pair", "name"),
    [
        *(("llama", name) for name in ALL if name not in LIKE_OTHERS),
        *product(("gpt2", "gpt_neox"), ("all at once", "8 bits", "4 bits of half")),
    ],
    indirect=["pair"],
)
def test_every_cut_is_made_as_on_the_cpu(pair: tuple[Backend, Backend], name: str) -> None:
    cut = ALL[name]
    on_cpu, on_device = pair
    ids = on_cpu.encode(PROMPT)
    for backend in pair:
        backend.ready(cut)
    one, other = (backend.logits(ids, cut) for backend in pair)
    if name in BITS:
        assert kl_nats(one, other) < BITS_KL_NATS
    else:
        np.testing.assert_allclose(other, one, atol=1e-4)
        assert generate(on_device, ids, cut, max_new_tokens=3) == generate(on_cpu, ids, cut, max_new_tokens=3)
    assert on_device.shape(cut) == on_cpu.shape(cut)


def test_what_is_asked_outside_of_windows_needs_no_float64(pair: tuple[Backend, Backend]) -> None:
    on_cpu, on_device = pair
    ids = on_cpu.encode(PROMPT)
    np.testing.assert_allclose(on_device.hidden(ids), on_cpu.hidden(ids), atol=1e-4)
    np.testing.assert_allclose(on_device.score(ids), on_cpu.score(ids), atol=1e-4)
    for kind in ("attention", "mlp", "block"):
        one, other = (getattr(backend.redundancy(ids), kind) for backend in pair)
        np.testing.assert_allclose(other, one, atol=1e-5)
    probes = on_device.probes()
    assert probes.stream(4_000)(2) is None
    assert probes.matrices().products(True) is None
    assert on_device.peak_memory_bytes() == 1 << 20


def test_a_prompt_in_chunks_says_the_same_there(
    pair: tuple[Backend, Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu, on_device = pair
    ids = on_cpu.encode(PROMPT)
    monkeypatch.setattr(on_device, "_chunk", 7)
    assert generate(on_device, ids, max_new_tokens=3).tokens == generate(on_cpu, ids, max_new_tokens=3).tokens


@pytest.mark.parametrize("cut", [FULL, Cut(kv_keep=0.5, kv_policy="heavy_hitters"), Cut(drop_blocks=(1,))])
def test_a_decode_reads_the_device_once(pair: tuple[Backend, Backend], mode: MpsLike, cut: Cut) -> None:
    _, on_device = pair
    on_device.ready(cut)
    session, before = on_device.prefill(on_device.encode(PROMPT), cut), mode.reads
    on_device.decode(session, max_new_tokens=5, ignore_eos=True)
    assert mode.reads == before + 1


def test_a_model_larger_than_the_device_is_refused_with_the_figures(
    tmp_path: Path, mode: MpsLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 1000)
    with pytest.raises(ModelError, match="what mps can hold"):
        on_torch.load(folder=SAVERS["llama"](tmp_path / "llama"), device="mps")
