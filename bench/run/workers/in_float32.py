"""A loaded model once more in float32, for as long as it is compared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from backends.abilities import HasRoundedProducts
from backends.base import Backend
from bench.errors import UserError
from bench.run.workers.messages import AskLogits, LogitsSent, ModelToLoad
from bench.suite import plugins


class InFloat32:
    """The last model that was asked for stays loaded until another is, or `forget`."""

    def __init__(self, backend: str, loads: Mapping[str, ModelToLoad]) -> None:
        """Of the models of `loads`, by key."""
        self._backend, self._loads = backend, loads
        self._loaded: tuple[tuple[str, int, bool], Backend] | None = None

    def get(self, key: str, layers: int, *, on_cpu: bool = False) -> Backend:
        """The first so many layers of a model, where it runs otherwise or on the CPU.

        Raises:
            UserError: it is of another type however it is loaded.
        """
        asked = key, layers, on_cpu
        if self._loaded is None or self._loaded[0] != asked:
            self.forget()
            one = self._loads[key]
            options = {**one.options, "folder": one.folder, "dtype": "float32", "layers": layers}
            if on_cpu:
                options["device"] = "cpu"
            self._loaded = asked, plugins.create("backends", self._backend, options)
        model = self._loaded[1]
        if model.info.dtype != "float32":
            raise UserError(f"{key} is {model.info.dtype} however it is loaded")
        return model

    def logits(self, message: AskLogits, *, loaded: Backend) -> LogitsSent:
        """What a message asks, of the model as it is `loaded` or of its form in float32."""
        layers, bits = message.float32_layers, message.product_bits
        model = loaded if layers is None else self.get(message.model, layers, on_cpu=bits is not None)
        with nullcontext() if bits is None else _rounded(model, bits):
            if message.fed:
                logits = model.logits_after(message.ids, message.fed, message.cut)
            else:
                logits = model.logits(message.ids, message.cut)
        positions, vocabulary = logits.shape
        return LogitsSent(shape=(positions, vocabulary), float32_hex=logits.astype("<f4").tobytes().hex())

    def forget(self) -> None:
        """Free its memory."""
        if self._loaded is not None:
            self._loaded[1].close()
            self._loaded = None


def _rounded(model: Backend, bits: int) -> AbstractContextManager[None]:
    if not isinstance(model, HasRoundedProducts):
        raise UserError(f"{model.info.backend} can't round what goes into its products")
    return model.rounded_products(bits)
