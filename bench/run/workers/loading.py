"""What a worker is told to load of a suite's models."""

from __future__ import annotations

from bench.errors import UserError
from bench.run.workers.messages import ModelToLoad
from bench.suite.libraries import about
from bench.suite.prepare import Prepared


def model_to_load(prepared: Prepared, key: str, backend: str) -> ModelToLoad:
    """A model of a suite as a backend loads it.

    Raises:
        UserError: it is not on this machine.
    """
    model = prepared.models[key]
    here = prepared.locate(model, backend)
    if here is None:
        raise UserError(f"the model {model.name!r} is not here", fix=f"run: bench models fetch {model.name}")
    options = {"dtype": model.dtype, "layers": model.layers}
    options |= {"model": model.name, "url": model.url} if about(backend).served else {}
    options |= prepared.suite.backend_options.get(backend, {})
    return ModelToLoad(folder=here.path, options=options)
