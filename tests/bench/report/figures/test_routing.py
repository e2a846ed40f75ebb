from dataclasses import replace

from bench.report.figures.routing import route_of
from bench.report.story import Story
from benchmarks.made_up import SMALL_BELOW_TOKENS
from tests.bench.report.figures.drawn import reason, table


def test_each_prompt_is_there_once_with_what_its_gate_chose(made: Story) -> None:
    found = table("routing", made)
    prompts = made.readback.run.header.prompts.ids
    assert list(found["prompt"]) == prompts * 2
    for tokens, route in zip(found["prompt_tokens"], found["route"], strict=True):
        assert route == ("small" if tokens < SMALL_BELOW_TOKENS else "full")


def test_a_gate_of_the_echo_run(echo: Story) -> None:
    found = table("routing", echo)
    assert dict(zip(found["prompt"], found["route"], strict=True)) == {"short": "small", "long": "full"}
    assert set(found["arm"]) == {"echo length"}


def test_a_cut_is_part_of_the_route(made: Story) -> None:
    asked = made.readback.slots[0].answers[0]
    cut = replace(asked, model="full", cut={"kv_keep": 0.5, "drop_mlp": [1, 2]})
    assert route_of(cut) == "full, kv_keep 0.5, drop_mlp [1, 2]"
    assert route_of(replace(cut, cut=None)) == "full"


def test_without_a_gate_there_is_no_routing(empty: Story) -> None:
    assert "no gated configuration" in reason("routing", empty)


def test_where_all_went_to_one_model_there_is_nothing_to_draw(echo: Story) -> None:
    slots = [
        replace(slot, answers=[replace(request, model="full") for request in slot.answers])
        for slot in echo.readback.slots
    ]
    one = replace(echo, readback=replace(echo.readback, slots=slots))
    assert reason("routing", one) == "every gate sent every prompt to full: nothing was routed"
