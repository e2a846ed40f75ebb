from pathlib import Path

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, pre_tokenizers

from backends.base import ModelError
from backends.tokenizer import Tokenizer


def test_settings_for_training_batches_are_ignored(tmp_path: Path):
    fast = FastTokenizer(models.WordLevel({"[pad]": 0, "a": 1, "b": 2}, unk_token="[pad]"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.enable_truncation(max_length=2)
    fast.enable_padding(length=8)
    fast.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer(tmp_path).encode("a b a") == [1, 2, 1]


def test_a_broken_file_is_refused(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json can't be read"):
        Tokenizer(tmp_path)
