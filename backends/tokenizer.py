"""Text to token ids and back, the same for every backend that loads the same folder.

It is transformers' `AutoTokenizer`, which both model libraries use: what it makes of a folder is what people
get of it, tokens that stand only in tokenizer_config.json included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.base import ModelError
from backends.chat import Turn, reasoning_ids, render_own


class Tokenizer:
    """The tokenizer of a model folder, and its chat template.

    Raises:
        ModelError: The folder has no readable `tokenizer.json`.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer  # comes with a backend, and this file without

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelError(
                f"{path} is missing", fix="save the model's fast tokenizer there with save_pretrained"
            )
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # the library raises plain Exception
            raise ModelError(f"{path} can't be read ({error})", fix="fetch the model again") from error

    @property
    def chat_template(self) -> str | None:
        """The template of the folder, as Jinja; None for a model that is not made for chats."""
        known = self._tokenizer.chat_template
        return known.get("default") if isinstance(known, dict) else known

    @property
    def reasoning_ids(self) -> tuple[int, int] | None:
        """The tokens that begin and end thinking aloud; None where the vocabulary has none."""
        return reasoning_ids(self._tokenizer.get_vocab())

    @property
    def tokens(self) -> dict[str, int]:
        """Every token with its id."""
        return dict(self._tokenizer.get_vocab())

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with the special tokens that the tokenizer adds unless they are there."""
        begin = self._tokenizer.bos_token
        begins = bool(begin) and text.startswith(begin)
        return list(self._tokenizer.encode(text, add_special_tokens=not begins))

    def encode_chat(self, turns: Sequence[Turn], arguments: Mapping[str, Any]) -> list[int]:
        """Token ids of a conversation, as the model's own template writes it up to the answer.

        Raises:
            ModelError: there is no template, or it can't be rendered.
            RequestError: it refuses the conversation.
        """
        text = render_own(self.chat_template, turns, {**self._tokenizer.special_tokens_map, **arguments})
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode_text(self, ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
