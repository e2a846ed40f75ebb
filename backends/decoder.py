"""A loaded model on any library: what `Backend` asks for, as far as it is the same for all of them.

Everything that decides how much work a request is stands here, so that two libraries can't
differ in it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.added import TextReading
from backends.anatomy import ANATOMIES, anatomy_of, experts_per_token
from backends.base import CHUNK, BackendInfo, Generated, Redundancy, Session
from backends.caching import Caching, Kept
from backends.cut import FULL, Cut
from backends.drop_lists import dropped_by_config
from backends.folder import ModelFolder
from backends.kv_policies import Arrays
from backends.lookup import greedy_with_lookup
from backends.loop import (
    EqualRows,
    check_batch,
    check_cut,
    check_prompt,
    chunks_of,
    greedy,
    log_probabilities,
    open_session,
    waited_for,
    watched,
)
from backends.making import counted, make
from backends.parts import Parts, multiplied
from backends.prepared import Cuts, PreparedModel
from backends.shape import Shape
from backends.tapped import experts_seen, redundancy_seen
from backends.tokenizer import Tokenizer
from backends.trial import by_name, try_cut


class Decoder(Caching):
    """One loaded model; see `backends.base.Backend` for what each public method promises."""

    def __init__(
        self,
        model: Any,
        *,
        folder: ModelFolder,
        tokenizer: Tokenizer,
        info: BackendInfo,
        arrays: Arrays,
        parts: Parts,
        chunk: int = CHUNK,
    ) -> None:
        self.info = info
        self.encode = tokenizer.encode
        self.decode_text = tokenizer.decode_text
        self.encode_chat = tokenizer.encode_chat
        self.chat_template = tokenizer.chat_template
        self.reasoning_ids = tokenizer.reasoning_ids
        self._model = model
        self._folder = folder
        self._arrays = arrays
        self._parts = parts
        self._chunk = chunk
        self._dropped = dropped_by_config(folder)
        self._cuts = Cuts(self._count(model), self._make)
        self._tried = set[Cut]()
        self._experts: dict[tuple[tuple[int, ...], Cut], tuple[tuple[int, ...], ...]] = {}

    def ready(self, cut: Cut) -> None:
        """Prepare `cut`, so that requests switch to it at no cost."""
        with by_name(self.info, cut):
            self._cuts.prepare(cut, self.info)
        if not cut.is_full and cut not in self._tried:
            self._fresh_cache(cut)
            try_cut(self, cut)
            self._tried.add(cut)

    def forget(self) -> None:
        """Free what `ready` prepared."""
        self._cuts.forget()
        self._tried.clear()
        self._free()

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """Queue the forwards of all of `ids`; the first token stays on the device."""
        return self.prefill_batch(ids, cut, batch=1)

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int) -> Session:
        """The same with so many equal rows in every forward."""
        check_prompt(ids, self.info)
        check_cut(cut, ids)
        check_batch(batch, cut)
        model, cache, chunks = self._model_for(cut), self._fresh_cache(cut), chunks_of(len(ids), self._chunk)
        keeping = self._keeping(model, cut, cache, len(ids))
        with self._no_gradients():
            with self._through_cache(model, cut, keeping):
                first = self._feed(model, [ids] * batch, cache, chunks, keeping, cut)
            self._store_in_few_bits(cache, cut.cache_bits)
            keeping.shorten()
        return Session(
            prompt_tokens=len(ids),
            first_token=first,
            cache=cache,
            ids=ids,
            cut=cut,
            used=self._cuts.get(cut).used(self._held(cache), keeping.kept_bytes, chunks),
            batch=batch,
            keeping=keeping,
        )

    def _feed(self, model: Any, rows: Any, cache: Any, chunks: list[int], keeping: Kept, cut: Cut) -> Any:
        """Queue the forwards of a prompt chunk by chunk; the token after it."""
        start = 0
        for tokens in chunks[:-1]:
            self._fill(model, [row[start : start + tokens] for row in rows], cache, start=start)
            self._store_in_few_bits(cache, cut.cache_bits)
            self._settle(cache, keeping.noted)
            start += tokens
        return self._first_token(model, [row[start:] for row in rows], cache, start=start)

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`; the device is idle on return."""
        return self._decode(session, max_new_tokens, ignore_eos, after=None)

    def decode_watched(
        self, session: Session, *, max_new_tokens: int, ignore_eos: bool, after: Callable[[], None]
    ) -> Generated:
        """The same, with every token waited for and told of."""
        return self._decode(session, max_new_tokens, ignore_eos, after=after)

    def _decode(
        self, session: Session, max_new_tokens: int, ignore_eos: bool, *, after: Callable[[], None] | None
    ) -> Generated:
        cache = open_session(session, max_new_tokens, self.info)
        model, start = self._model_for(session.cut), session.prompt_tokens
        eos_ids = frozenset[int]() if ignore_eos else self._folder.eos_ids
        rows = EqualRows(self._fetch)
        if after is not None:
            rows.fetch([session.first_token])
            after()
        with self._no_gradients(), self._through_cache(model, session.cut, session.keeping):
            if session.cut.lookup:
                verify, drop = self._verifier(model, cache, start=start, most=max_new_tokens)
                verify = watched(verify, after)
                generated = greedy_with_lookup(
                    rows.fetch([session.first_token])[0],
                    verify,
                    drop,
                    ids=session.ids,
                    cut=session.cut,
                    max_new_tokens=max_new_tokens,
                    eos_ids=eos_ids,
                )
            else:
                step = self._stepper(model, cache, start=start, most=max_new_tokens, batch=session.batch)
                step = watched(step, session.keeping.after_step)
                if after is not None:
                    step = watched(waited_for(step, rows.fetch), after)
                generated = greedy(
                    session.first_token, step, rows.fetch, max_new_tokens=max_new_tokens, eos_ids=eos_ids
                )
        self.synchronize()
        return replace(
            generated,
            used=session.used,
            cache_lengths=self._held(cache).lengths,
            rebuilt_bytes=session.keeping.rebuilt_bytes,
            batch=session.batch,
            unlike_rows=rows.unlike,
        )

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32."""
        check_prompt(ids, self.info)
        self.ready(cut)
        self._fresh_cache(cut)  # refuses what `prefill` would refuse
        model = self._model_for(cut)
        with self._no_gradients(), self._per_query(model, cut):
            return self._arrays.numpy(self._logits(model, ids))

    def logits_after(self, ids: list[int], tokens: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(tokens), vocabulary) after each of `tokens`, through the cache."""
        check_prompt([*ids, *tokens], self.info)
        self.ready(cut)
        session, model = self.prefill(ids, cut), self._model_for(cut)
        rows = []
        with self._no_gradients(), self._through_cache(model, cut, session.keeping):
            for position, token in enumerate(tokens, start=len(ids)):
                rows.append(self._arrays.numpy(self._logits_at(model, session.cache, token, position)))
                session.keeping.shorten()
        return np.stack(rows)

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Natural log-probabilities, shape (len(ids) - 1,), of ids[1:]."""
        return log_probabilities(self.logits(ids, cut), ids)

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Hidden states after the final norm, shape (len(ids), width)."""
        check_prompt(ids, self.info)
        with self._no_gradients():
            return self._arrays.numpy(self._hidden(ids))

    def redundancy(self, ids: list[int], cut: Cut = FULL) -> Redundancy:
        """How little each attention, MLP and block of what `cut` leaves changes the residual stream."""
        check_prompt(ids, self.info)
        self.ready(cut)
        model = self._model_for(cut)
        with self._no_gradients():
            return redundancy_seen(
                self._parts, self._arrays, model, self._folder, run=lambda: self._logits(model, ids)
            )

    def experts_of_prompt(self, ids: list[int], cut: Cut = FULL) -> tuple[tuple[int, ...], ...]:
        """How many experts each forward of a prefill reads, by layer; without experts nothing is run."""
        anatomy, model = ANATOMIES.get(self._folder.architecture), self._model_for(cut)
        if anatomy is None or not experts_per_token(self._folder):
            return ()
        asked = (tuple(ids), cut)
        if asked not in self._experts:
            self._experts[asked] = experts_seen(
                self._parts, self._arrays, model, anatomy, run=lambda: self.prefill(ids, cut)
            )
        return self._experts[asked]

    def shape(self, cut: Cut = FULL) -> Shape | None:
        """Counted sizes of what a forward under `cut` reads and multiplies; None if that is not known."""
        shape, cast = self._cuts.get(cut).shape, bool(cut.cache_bits) and self.info.casts_cache
        return shape and replace(shape, cache_bits=cut.cache_bits, cache_is_cast=cast)

    def close(self) -> None:
        """Free the model's memory."""
        self._cuts.forget()
        self._model = self._parts = self._cuts = None  # type: ignore[assignment]
        gc.collect()
        self._free()

    def _multiplied(self) -> list[Any]:
        """The matrices that a forward multiplies with."""
        anatomy_of(self._folder)  # says why they would not be known
        return multiplied(self._parts, self._model)

    def _model_for(self, cut: Cut) -> Any:
        return self._model if cut is FULL or cut.weights == FULL else self._cuts.get(cut).model

    def _make(self, cut: Cut) -> PreparedModel:
        made = make(self._parts, self._model, anatomy_of(self._folder), cut, self.info, self._text_reading())
        return self._count(made)

    def _text_reading(self) -> TextReading:
        def run(model: Any, ids: list[int]) -> None:
            with self._no_gradients():
                self._arrays.numpy(self._logits(model, ids)[-1:])

        return TextReading(encode=self.encode, run=run, numbers=self._arrays.numpy, context=self.info.context)

    def _count(self, model: Any) -> PreparedModel:
        windows = self._windows(self._new_cache(FULL))
        shape = counted(self._parts, model, self._folder, dtype=self.info.dtype, windows=windows)
        return PreparedModel(model=model, shape=shape)
