"""Every message of every worker has a class, a name of its own and an answer that comes back whole."""

import json

import pytest

from backends.cut import Cut
from bench.run.workers.messages import CompareLogits, Encode, Load, Message, ModelToLoad
from bench.run.workers.worker import Worker
from bench.studies.question_worker import StudyWorker
from bench.suite.config import GateConfig
from bench.suite.prompt_forms import Prompt
from bench.typed import from_json, to_json


@pytest.mark.parametrize("kind", [Worker, StudyWorker])
def test_a_worker_obeys_messages_of_different_names_and_answers_what_they_say(kind: type[Worker]) -> None:
    commands = kind("echo").commands()
    assert len({message.command for message in commands}) == len(commands)
    for message, method in commands.items():
        said = method.__annotations__
        assert message.__name__ in said.values()
        assert message.answer().__name__ == said["return"]


@pytest.mark.parametrize(
    "message",
    [
        Load(
            models={"m": ModelToLoad(folder=None, options={"dtype": "float32"})},
            gates={"g": GateConfig.model_validate({"plugin": "constant", "budget": {"cut": {"lookup": 2}}})},
        ),
        Encode(prompts=[Prompt(id="a", text="b", tokens=1)]),
        CompareLogits(model="m", ids=[1, 2], cuts=[Cut(kv_keep=0.5, kv_policy="window")], first=0),
    ],
)
def test_a_message_comes_out_of_the_wire_as_it_went_in(message: Message[object]) -> None:
    assert from_json(type(message), json.loads(json.dumps(to_json(message)))) == message
