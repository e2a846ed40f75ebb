"""Token ids are those of `AutoTokenizer`, which is what people get of a folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, pre_tokenizers
from transformers import AutoTokenizer

from backends.base import ModelError
from backends.tokenizer import Tokenizer
from tests.tiny_models import BOS, save_tiny_llama, tokenizer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IN_CONFIG_ONLY = {"<|im_start|>": 260, "<|im_end|>": 261, "<think>": 262, "</think>": 263}
TURNS = [{"role": "user", "content": "hé"}]


def save(folder: Path, **about: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    tokenizer().save(str(folder / "tokenizer.json"))
    added = {
        str(number): {"content": token, "special": token.startswith("<|"), "normalized": False}
        for token, number in IN_CONFIG_ONLY.items()
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": added, **about}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_tokens_that_stand_only_in_the_settings_are_not_split(tmp_path: Path) -> None:
    folder = save(tmp_path / "model")
    ids = Tokenizer(folder).encode("<|im_start|>x<think>y")
    assert ids == AutoTokenizer.from_pretrained(folder).encode("<|im_start|>x<think>y")
    assert ids[:2] == [BOS, 260]
    assert ids[3] == 262


def test_a_text_that_begins_with_the_first_token_gets_no_second_one(tmp_path: Path) -> None:
    model = Tokenizer(save(tmp_path / "model", bos_token="<bos>"))
    assert model.encode("<bos>a") == model.encode("a")
    assert model.encode("a")[0] == BOS


@pytest.mark.parametrize("place", ["a file", "the settings", "named ones in the settings"])
def test_a_chat_is_written_by_the_template_of_the_folder(tmp_path: Path, place: str) -> None:
    named = [{"name": "default", "template": CHATML}, {"name": "rag", "template": "no"}]
    inside = {"the settings": CHATML, "named ones in the settings": named}.get(place)
    folder = save(tmp_path / "model", **({"chat_template": inside} if inside else {}))
    if inside is None:
        (folder / "chat_template.jinja").write_text(CHATML)
    model, theirs = Tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    assert model.chat_template == CHATML
    ids = theirs.apply_chat_template(TURNS, add_generation_prompt=True, return_dict=False)
    assert model.encode_chat(TURNS, {}) == ids
    assert ids.count(BOS) == 0
    assert ids.count(260) == 2
    assert model.reasoning_ids == (262, 263)


def test_a_model_that_is_not_made_for_chats_says_so(tmp_path: Path) -> None:
    model = Tokenizer(save_tiny_llama(tmp_path / "model"))
    assert model.chat_template is None
    assert model.reasoning_ids is None
    with pytest.raises(ModelError, match=r"no chat template; .*--no-chat"):
        model.encode_chat(TURNS, {})


def test_settings_for_training_batches_are_ignored(tmp_path: Path):
    fast = FastTokenizer(models.WordLevel({"[pad]": 0, "a": 1, "b": 2}, unk_token="[pad]"))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    fast.enable_truncation(max_length=2)
    fast.enable_padding(length=8)
    folder = save(tmp_path / "model", added_tokens_decoder={})
    fast.save(str(folder / "tokenizer.json"))
    assert Tokenizer(folder).encode("a b a") == [1, 2, 1]


def test_a_broken_file_is_refused(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json can't be read"):
        Tokenizer(tmp_path)
