"""A loaded model once more in float32, for as long as it is compared."""

from __future__ import annotations

from collections.abc import Mapping

from backends.base import Backend
from bench.errors import UserError
from bench.run.workers.messages import ModelToLoad
from bench.suite import plugins


class InFloat32:
    """The last model that was asked for stays loaded until another is, or `forget`."""

    def __init__(self, backend: str, loads: Mapping[str, ModelToLoad]) -> None:
        """Of the models of `loads`, by key."""
        self._backend, self._loads = backend, loads
        self._loaded: tuple[str, int, Backend] | None = None

    def get(self, key: str, layers: int) -> Backend:
        """The first so many layers of a model.

        Raises:
            UserError: it is of another type however it is loaded.
        """
        if self._loaded is None or self._loaded[:2] != (key, layers):
            self.forget()
            one = self._loads[key]
            options = {**one.options, "folder": one.folder, "dtype": "float32", "layers": layers}
            self._loaded = key, layers, plugins.create("backends", self._backend, options)
        model = self._loaded[2]
        if model.info.dtype != "float32":
            raise UserError(f"{key} is {model.info.dtype} however it is loaded")
        return model

    def forget(self) -> None:
        """Free its memory."""
        if self._loaded is not None:
            self._loaded[2].close()
            self._loaded = None
