"""A loaded model on any library: what `Backend` asks for, as far as it is the same for all of them.

Everything that decides how much work a request is stands here, so that two libraries can't
differ in it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backends.added import TextReading
from backends.anatomy import anatomy_of
from backends.base import CHUNK, Backend, BackendInfo, Generated, RequestError, Session
from backends.caching import Kept
from backends.counting import counted, multiplied
from backends.cut import FULL, Cut
from backends.drafting import DraftModel, check_draft
from backends.drop_lists import dropped_by_config
from backends.folder import ModelFolder
from backends.kv_policies import Arrays
from backends.looks import Looks
from backends.lookup import SeenText
from backends.loop import (
    EqualRows,
    check_batch,
    check_cut,
    check_prompt,
    chunks_of,
    greedy,
    open_session,
    waited_for,
    watched,
)
from backends.making import make
from backends.parts import Parts
from backends.prepared import Cuts, PreparedModel
from backends.shape import Shape
from backends.speculation import Source, greedy_with_guesses
from backends.tokenizer import Tokenizer
from backends.trial import by_name, check_prefix, try_cut


class Decoder(Looks):
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
        self.encode, self._tokenizer = tokenizer.encode, tokenizer
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
        self._others: Mapping[str, Backend] = {}
        self._drafts: dict[str, Decoder] = {}
        self._prefixes: dict[tuple[tuple[int, ...], Cut], Any] = {}
        self._experts: dict[tuple[tuple[int, ...], Cut, int], tuple[tuple[int, ...], ...]] = {}

    def ready(self, cut: Cut) -> None:
        """Prepare `cut`, so that requests switch to it at no cost."""
        is_new = not cut.is_full and cut not in self._tried
        if is_new:
            self._fresh_cache(cut)
            if cut.draft is not None:
                self._drafts[cut.draft] = self._checked_draft(cut.draft)
        with by_name(self.info, cut):
            self._cuts.prepare(cut, self.info)
        if is_new:
            try_cut(self, cut)
            self._tried.add(cut)

    def forget(self) -> None:
        """Free what `ready` prepared."""
        self._cuts.forget()
        self._drafts.clear()
        self._tried.clear()
        self._prefixes.clear()
        self._free()

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """Queue the forwards of all of `ids`; the first token stays on the device."""
        return self.prefill_batch(ids, cut, batch=1)

    def keep_prefix(self, ids: list[int], cut: Cut = FULL) -> None:
        """Compute the cache of `ids`, with which prompts begin, and keep it."""
        check_prompt(ids, self.info)
        model, cache = self._model_for(cut), self._fresh_cache(cut)
        check_prefix(cut, self.info, set(self._forgetful(cache).values()))
        chunks, keeping = self._chunks(len(ids)), self._keeping(model, cut, cache, len(ids))
        with self._no_gradients(), self._through_cache(model, cut, keeping):
            self._feed(model, [ids], cache, chunks, keeping, cut, start=0)
            self._settle(cache, [])
        self._prefixes[tuple(ids), cut] = cache
        if draft := self._draft_of(cut):
            draft.keep_prefix(ids)

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int, prefix: int = 0) -> Session:
        """The same with so many equal rows in every forward, after the `prefix` that was kept."""
        check_prompt(ids, self.info)
        check_cut(cut, ids)
        check_batch(batch, cut)
        model, cache = self._model_for(cut), self._cache_after(ids[:prefix], cut, batch)
        chunks = self._chunks(len(ids) - prefix)
        keeping = self._keeping(model, cut, cache, len(ids))
        with self._no_gradients():
            with self._through_cache(model, cut, keeping):
                first = self._feed(model, [ids] * batch, cache, chunks, keeping, cut, start=prefix)
            self._store_in_few_bits(cache, cut.cache_bits)
            keeping.shorten()
        draft = self._draft_of(cut)
        return Session(
            prompt_tokens=len(ids),
            first_token=first,
            cache=cache,
            ids=ids,
            cut=cut,
            used=self._cuts.get(cut).used(self._held(cache), keeping.kept_bytes, chunks, prefix=prefix),
            batch=batch,
            keeping=keeping,
            draft=draft.prefill_batch(ids, batch=1, prefix=prefix) if draft else None,
        )

    def _chunks(self, tokens: int) -> list[int]:
        """Prompt tokens of each forward."""
        if tokens > self._chunk and self._starts_anew(self._model):
            raise RequestError(
                f"{self.info.backend} computes a prompt of {self.info.architecture!r} in one forward, "
                f"but this one has {tokens} tokens and prefill_chunk is {self._chunk}",
                fix=f"set prefill_chunk to {tokens}, or give shorter prompts",
            )
        return chunks_of(tokens, self._chunk)

    def _feed(
        self, model: Any, rows: Any, cache: Any, chunks: list[int], keeping: Kept, cut: Cut, *, start: int
    ) -> Any:
        """Queue the forwards of a prompt chunk by chunk from position `start` on; the token after it."""
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
            if session.cut.guesses:
                verify, drop = self._verifier(model, cache, start=start, most=max_new_tokens)
                sources, draft = self._sources(session, max_new_tokens)
                generated = greedy_with_guesses(
                    rows.fetch([session.first_token])[0],
                    watched(verify, after),
                    drop,
                    sources=sources,
                    max_new_tokens=max_new_tokens,
                    eos_ids=eos_ids,
                )
                if draft and session.draft:
                    generated = replace(generated, draft_used=session.draft.used, draft_fed=tuple(draft.fed))
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

    def take_drafts(self, models: Mapping[str, Backend]) -> None:
        """Models that may guess."""
        self._others = models

    def _checked_draft(self, key: str) -> Decoder:
        draft = self._others.get(key)
        if not isinstance(draft, Decoder) or draft is self:
            known = [other for other, model in self._others.items() if model is not self]
            raise RequestError(
                f"draft = {key!r} is no other model that is loaded beside this one",
                fix=f"name one of: {', '.join(known)}" if known else "name a model of a suite",
            )
        forgetful = set(draft._forgetful(draft._new_cache(FULL)).values())
        check_draft(key, draft.info, forgetful, (draft._tokenizer.tokens, self._tokenizer.tokens))
        return draft

    def _draft_of(self, cut: Cut) -> Decoder | None:
        if cut.draft is None:
            return None
        if cut.draft not in self._drafts:
            raise RequestError("this cut is not ready", fix="call ready(cut) first, outside of any window")
        return self._drafts[cut.draft]

    def _sources(self, session: Session, most: int) -> tuple[list[Source], DraftModel | None]:
        """Who guesses for a request of so many new tokens, and of them the model that does."""
        cut, sources = session.cut, list[Source]()
        if cut.lookup:
            sources.append(SeenText(session.ids, cut))
        draft = self._draft_of(cut)
        if draft is None or session.draft is None:
            return sources, None
        cache, start = open_session(session.draft, most, draft.info), session.prompt_tokens
        verify, drop = draft._verifier(draft._model, cache, start=start, most=most)
        vocabulary = min(self.info.vocabulary, draft.info.vocabulary)
        guessing = DraftModel(verify, drop, tokens=cut.draft_tokens, vocabulary=vocabulary)
        return [*sources, guessing], guessing

    def shape(self, cut: Cut = FULL) -> Shape | None:
        """Counted sizes of what a forward under `cut` reads and multiplies; None if that is not known."""
        shape, cast = self._cuts.get(cut).shape, bool(cut.cache_bits) and self.info.casts_cache
        draft = self._draft_of(cut)
        return shape and replace(
            shape, cache_bits=cut.cache_bits, cache_is_cast=cast, draft=draft.shape() if draft else None
        )

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

    def _cache_after(self, prefix: list[int], cut: Cut, batch: int) -> Any:
        """A cache for so many rows that holds `prefix`, which was kept; a fresh one where there is none."""
        if not prefix:
            return self._fresh_cache(cut)
        if (kept := self._prefixes.get((tuple(prefix), cut))) is None:
            raise RequestError("this prefix was not kept", fix="call keep_prefix first, outside any window")
        return self._forked(kept, batch)
