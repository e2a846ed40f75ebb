"""Patches that leave no work out, as they were published, are found out."""

from pathlib import Path
from types import MethodType

from backends.cut import FULL, Cut
from tests.contracts.models import PROMPT, load_tiny, verdict


def test_a_patch_that_never_reaches_the_mlp_is_inactive(tiny_folders: dict[str, Path]):
    """As published: `forward` takes one argument more, and the layer calls it without."""
    backend, cut = load_tiny("torch", tiny_folders["llama"]), Cut(mlp_keep=0.5)
    make = backend._cuts._make

    def patched(_: Cut):
        prepared = make(FULL)
        for layer in prepared.model.model.layers:
            whole = layer.mlp.forward

            def forward(_mlp, hidden, kappa=None, whole=whole):
                output = whole(hidden)
                return output if kappa is None else output * 0

            layer.mlp.forward = MethodType(forward, layer.mlp)
        return prepared

    backend._cuts._make = patched
    backend.ready(cut)
    found = verdict(backend, cut, backend.encode(PROMPT))
    assert found.outcome == "gate inactive"
    assert found.reason == "64 of 128 MLP units were asked for, but layer 0 used 128"


def test_a_mask_that_skips_no_work_is_inactive(tiny_folders: dict[str, Path]):
    """The logits change, but every weight is still read."""
    backend, cut = load_tiny("torch", tiny_folders["llama"]), Cut(drop_mlp=(1,))
    make = backend._cuts._make

    def patched(_: Cut):
        prepared = make(FULL)
        prepared.model.model.layers[1].mlp.register_forward_hook(lambda _, __, out: out * 0)
        return prepared

    backend._cuts._make = patched
    backend.ready(cut)
    found = verdict(backend, cut, backend.encode(PROMPT))
    assert found.reason == "0 of 128 MLP units were asked for, but layer 1 used 128"
