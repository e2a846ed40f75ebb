"""Text for perplexity and calibration: a file, the prompts' own words, or WikiText-2 from the hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError
from bench.run import privilege
from bench.show.safe_text import first_line
from bench.suite import libraries
from bench.suite.prompts import PromptSet
from bench.suite.reading import path_of, text_of

WIKITEXT = "wikitext-2"
_REPO = "Salesforce/wikitext"
_FILE = "wikitext-2-raw-v1/test-00000-of-00001.parquet"


@dataclass(frozen=True, kw_only=True)
class Text:
    """Text and where it comes from."""

    name: str
    """As it is shown: a file name, `wikitext-2`, or the prompt set."""
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class TextChoice:
    """How a text is read for perplexity."""

    text: str | None
    """A file or `wikitext-2`; None for the words of the prompts."""
    window: int
    """Tokens of a window."""
    stride: int
    """Tokens from the start of one window to that of the next."""
    windows: int
    """At most; the rest of the text is left aside."""

    def open(self, prompts: PromptSet) -> Text:
        """The text, once the windows are known to cover it.

        Raises:
            UserError: the stride leaves gaps, or the text can't be read.
        """
        if not 1 <= self.stride < self.window:
            raise UserError(
                f"window {self.window}, stride {self.stride}",
                fix="give a window above the stride, and 1 or more",
            )
        if self.windows < 1:
            raise UserError(f"windows = {self.windows}", fix="give 1 or more")
        return load_text(self.text) if self.text else text_of_prompts(prompts)

    def check_context(self, context: int | None) -> None:
        """Raise `UserError` unless a window fits a model."""
        if context is not None and self.window > context:
            raise UserError(
                f"window {self.window} exceeds the context of the model, {context}", fix="lower --window"
            )


def load_text(name: str) -> Text:
    """The text of a file; `wikitext-2` is the raw test split, fetched from the hub the first time.

    Raises:
        UserError: it can't be read or fetched, or there is nothing in it.
    """
    if name == WIKITEXT and not Path(name).exists():
        return Text(name=name, text=_wikitext())
    text = text_of(path_of(name), what="the text", fix=f"give a text file, or {WIKITEXT}")
    if not text.strip():
        raise UserError(f"{name} has no text in it", fix="give another file")
    return Text(name=Path(name).name, text=text)


def text_of_prompts(prompts: PromptSet) -> Text:
    """The prompts' own texts, without answers in between, joined by blank lines."""
    return Text(
        name=f"the prompts of {prompts.file.stem}",
        text="\n\n".join(prompt.asked for prompt in prompts.prompts),
    )


def _wikitext() -> str:
    """The test split as one text; its lines carry their own line ends."""
    libraries.require("huggingface_hub", what="a text of the hub", extra="embedded")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from pyarrow import parquet

    if privilege.is_lowered():
        raise UserError(
            f"{WIKITEXT} is fetched from the hub, which must not happen under sudo",
            fix=f"fetch it as yourself first, without sudo ({privilege.KEPT_FOLDERS})",
        )
    try:
        file = hf_hub_download(_REPO, _FILE, repo_type="dataset")
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"can't fetch {WIKITEXT}: {first_line(error)}", fix="offline, give a text file with --text"
        ) from None
    return "".join(parquet.read_table(file, columns=["text"])["text"].to_pylist())
