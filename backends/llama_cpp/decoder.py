"""A GGUF file in llama.cpp: what `Backend` asks for, as far as the engine can do it.

A request is two of llama.cpp's. The first has the prompt, computed anew, and one new token: the prefill. The
second has the prompt and that token, of which the cache holds all but the last, so llama.cpp feeds that one
and goes on: M new tokens from one forward of the prompt and M-1 of one token, as on every backend. What
llama.cpp counted is held against that in each request.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import xllamacpp

from backends.base import BackendInfo, Generated, RequestError, Session, Used
from backends.chat import Turn, render_own
from backends.closed import ClosedModel
from backends.cut import FULL, Cut
from backends.llama_cpp.engine import Completion, Engine, EngineSettings
from backends.llama_cpp.header import GgufModel, read_model
from backends.llama_cpp.load import ABOUT, CONTEXT
from backends.loop import check_prompt, chunks_of, open_session
from backends.shape import Shape


class LlamaCppBackend(ClosedModel):
    """One GGUF file in one engine, whose only cache is that of the last prompt."""

    def __init__(
        self, file: Path, *, threads: int | None, chunk: int, gpu_layers: int | None, context: int | None
    ) -> None:
        self._model = read_model(file)
        wanted = context or min(self._model.context, CONTEXT)
        # llama.cpp stops when its positions are used up, although the last new token needs none
        settings = EngineSettings(threads=threads, batch=chunk, gpu_layers=gpu_layers, context=wanted + 1)
        self._engine = Engine(file, settings)
        self._chunk = chunk
        self._newest: Session | None = None
        self.own_s = 0.0
        """Seconds of all requests so far by llama.cpp's own clock."""
        positions = min(wanted, self._engine.positions - 1)
        self.info = _info(self._model, self._engine, positions=positions, chunk=chunk, gpu_layers=gpu_layers)

    @property
    def chat_template(self) -> str | None:
        """That of the file."""
        return self._model.chat_template

    @property
    def reasoning_ids(self) -> tuple[int, int] | None:
        """The tokens that begin and end thinking aloud."""
        return self._model.reasoning_ids

    def encode_chat(self, turns: Sequence[Turn], arguments: Mapping[str, Any]) -> list[int]:
        """Token ids of a conversation, as the file's own template writes it up to the answer."""
        text = render_own(self.chat_template, turns, {**self._model.special_tokens, **arguments})
        return self._engine.encode(text, whole=True)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with the special tokens that the file asks for."""
        begin = self._model.special_tokens.get("bos_token")
        return self._engine.encode(text, whole=bool(begin and text.startswith(begin)))

    def decode_text(self, ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""
        return self._engine.decode_text([i for i in ids if i not in self._model.control_ids])

    def ready(self, cut: Cut) -> None:
        """Refuse every cut."""
        if not cut.is_full:
            self._cannot("leave out parts of a model")

    def forget(self) -> None:
        """Nothing was prepared."""

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """One forward of `ids`, in chunks, and the first new token; waits for it."""
        check_prompt(ids, self.info)
        self.ready(cut)
        done = self._complete(ids, new_tokens=1, computed=len(ids))
        self._newest = Session(
            prompt_tokens=len(ids),
            first_token=done.tokens[0],
            cache=self._engine,
            ids=ids,
            used=self._used(len(ids)),
        )
        return self._newest

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`, which has to be that of the last prefill."""
        open_session(session, max_new_tokens, self.info)
        if session is not self._newest:
            raise RequestError(
                "another prompt was computed since, and llama.cpp keeps the cache of one",
                fix="decode a session before the next prefill",
            )
        tokens = [session.first_token]
        ends = frozenset[int]() if ignore_eos else self._model.end_ids
        while len(tokens) < max_new_tokens and tokens[-1] not in ends:
            # more than once only where llama.cpp stopped at an end and the text is to go on
            wanted = max_new_tokens - len(tokens)
            tokens += self._complete([*session.ids, *tokens], new_tokens=wanted, computed=1).tokens
        return Generated(tokens=tokens, forwards=len(tokens) - 1, used=session.used)

    def shape(self, cut: Cut = FULL) -> Shape | None:
        """Counted sizes, from the header of the file."""
        self.ready(cut)
        return self._model.shape

    def synchronize(self) -> None:
        """Nothing is left to do: every request is waited for."""

    def close(self) -> None:
        """End the server and free the model."""
        self._newest = None
        self._engine.close()

    def _complete(self, ids: list[int], *, new_tokens: int, computed: int) -> Completion:
        """New tokens after `ids`, of which llama.cpp has to compute exactly the last `computed`."""
        done = self._engine.complete(ids, new_tokens=new_tokens, cached=computed < len(ids))
        self.own_s += done.own_s
        if done.computed_tokens != computed or not done.tokens:
            raise RequestError(
                f"llama.cpp computed {done.computed_tokens} tokens of the sequence, not {computed}, and "
                f"{len(done.tokens)} new ones, so prefill and decode can't be told apart",
                fix=f"this model's {self.info.architecture} cache can't be gone on from; run it elsewhere",
            )
        return done

    def _used(self, prompt_tokens: int) -> Used | None:
        """What the prefill ran; None where the layers are not those that are counted."""
        shape = self._model.shape
        if shape is None:
            return None
        return Used(
            cache_lengths=(prompt_tokens,) * self._model.layers,
            mlp_units=tuple(layer.mlp_units for layer in shape.layers),
            weight_bytes=shape.weight_bytes,
            chunks=tuple(chunks_of(prompt_tokens, self._chunk)),
        )

    def _cannot(self, what: str) -> NoReturn:
        raise RequestError(f"llama.cpp can't {what}", fix="use torch or mlx for that")


def _info(
    model: GgufModel, engine: Engine, *, positions: int, chunk: int, gpu_layers: int | None
) -> BackendInfo:
    device = _device() if gpu_layers != 0 else "cpu"
    on_gpu = 0 if device == "cpu" else model.layers if gpu_layers is None else min(gpu_layers, model.layers)
    return BackendInfo(
        backend="llama_cpp",
        device=device,
        dtype=model.stored_as,
        architecture=model.architecture,
        layers=model.layers,
        parameters=model.parameters,
        weight_bytes=model.weight_bytes,
        vocabulary=model.vocabulary,
        context=positions,
        cache="float16",
        versions=ABOUT.versions(),
        settings={"threads": engine.threads, "prefill_chunk": chunk, "gpu_layers": on_gpu},
    )


def _device() -> str:
    """The GPU that llama.cpp found, or the CPU."""
    kinds = xllamacpp.ggml_backend_dev_type
    gpus = (kinds.GGML_BACKEND_DEVICE_TYPE_GPU, kinds.GGML_BACKEND_DEVICE_TYPE_IGPU)
    found = [d["name"].rstrip("0123456789").lower() for d in xllamacpp.get_device_info() if d["type"] in gpus]
    if not found:
        return "cpu"
    return "metal" if sys.platform == "darwin" else found[0]
