"""Meet a server that is already there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from backends.about import About, about
from backends.base import Backend, ModelError


def check_url(url: str) -> None:
    """Refuse a url that is none, or not on this machine; nothing is sent to it.

    Raises:
        ModelError: With the address.
    """
    from backends.openai.place import place_of

    place_of(url)


ABOUT = About(
    weight_files=(),
    dtype_of_file=True,
    served=check_url,
    lacks=(
        "cuts",
        "layers",
        "logits",
        "hidden",
        "redundancy",
        "probes",
        "prompt_cache",
        "kv_bits",
        "token_ids",
    ),
)


@about(ABOUT)
def load(
    *,
    folder: Path | None = None,
    dtype: str = "float32",
    layers: int | None = None,
    model: str = "",
    url: str | None = None,
    prompt_cache: bool = False,
    concurrency: Annotated[int, Field(ge=1)] | None = None,
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None,
    seed: Annotated[int, Field(ge=0)] = 0,
) -> Backend:
    """A server on this machine with OpenAI's API: Ollama, LM Studio, mlx_lm.server, llama-server, vLLM.

    Args:
        folder: Not used: the server has the model.
        dtype: Not used: the server says nothing of it.
        layers: All of them.
        model: What the server calls it; a suite says it as the model's name.
        url: Where the server is, such as `http://127.0.0.1:11434/v1`; a suite says it beside that name.
        prompt_cache: Let it take what it still knows of a prompt; else a number in front makes each new.
        concurrency: Requests at a time, of the batch; none sends all at once.
        rate: Requests a second that arrive at random (Poisson), whether or not others are answered.
        seed: Of the arrivals.

    Raises:
        ModelError: The server is not there, is not on this machine, or does not answer as it should.
    """
    if url is None or not model:
        raise ModelError("no server is named", fix='give url = "http://127.0.0.1:11434/v1" and its model')
    if layers is not None:
        raise ModelError(f"layers = {layers}, but a server runs all layers", fix="leave it out")
    if concurrency is not None and rate is not None:
        raise ModelError(
            f"concurrency = {concurrency} and rate = {rate:g} both say when requests are sent",
            fix="leave one of them out",
        )
    from backends.openai.served import ServedModel
    from backends.openai.traffic import Traffic

    traffic = Traffic(concurrency=concurrency, rate=rate, seed=seed)
    return ServedModel(url, model, traffic=traffic, prompt_cache=prompt_cache)
