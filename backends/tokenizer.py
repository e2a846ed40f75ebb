"""Text to token ids and back, the same for every backend that loads the same folder.

`tokenizer.json` is read by the `tokenizers` library itself. The wrappers that the model
libraries put around it each add their own rules, and importing them takes seconds.
"""

from __future__ import annotations

from pathlib import Path

from backends.base import ModelError


class Tokenizer:
    """The fast tokenizer of a model folder.

    Raises:
        ModelError: The folder has no readable `tokenizer.json`.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer as FastTokenizer  # comes with a backend, and this file without

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelError(
                f"{path} is missing", fix="save the model's fast tokenizer there with save_pretrained"
            )
        try:
            self._tokenizer = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise ModelError(f"{path} can't be read ({error})", fix="fetch the model again") from error
        # The file may carry settings for training batches, which would cut or fill a prompt in silence.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with the special tokens that the tokenizer adds."""
        return list(self._tokenizer.encode(text).ids)

    def decode_text(self, ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))
