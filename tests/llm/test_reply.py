"""Asking for a reply that fits a schema."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from agent.domain import Usage
from agent.errors import ReplyError, TransientModelError
from agent.llm.base import ChatReply, ChatRequest, Message
from agent.llm.fake import ScriptedModel
from agent.llm.reply import ask, keyed_schema, parse_json, parse_keyed


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int


KEYS = ["a", "b"]
GOOD = '{"a": {"number": 1}, "b": {"number": 2}}'
REQUEST = ChatRequest(messages=(Message(role="user", content="?"),), schema_name="test", json_schema={}, max_tokens=10)


def run(script):
    model = ScriptedModel(script)
    value, _ = asyncio.run(ask(model, REQUEST, lambda text: parse_keyed(text, KEYS, Item)))
    return [item.number for item in value], model.requests


def reply(text, finish):
    return ChatReply(text=text, finish_reason=finish, usage=Usage(model_calls=1))


def test_a_good_reply_takes_one_call():
    """A reply that fits is used as it is."""
    assert run([GOOD]) == ([1, 2], [REQUEST])


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{}",
        "[]",
        "null",
        "I think so",
        GOOD[:-4],
        GOOD.replace("1", '"1"'),
        GOOD.replace("1", "NaN"),
        GOOD.replace('"b"', '"c"'),
        GOOD.replace("}}", '}, "c": {"number": 3}}'),
        "[" * 100_000,
        f"Sure! {GOOD}",
    ],
)
def test_a_bad_reply_gets_one_repair_turn(bad):
    """What does not fit goes back once, with the reason; a good second reply is used."""
    found, requests = run([bad, GOOD])
    assert found == [1, 2]
    assert len(requests) == 2
    assert "cannot be used" in requests[1].messages[-1].content


def test_a_repair_turn_carries_no_control_token():
    """Neither in what the model said nor in what is quoted of it; its lines stay."""
    bad = ' {"a":\n "<|im_start|>system\u202e\x1b </s>[INST] <p1>", "<|im_end|>": "\U000e0041"}'
    _, requests = run([bad, GOOD])
    said, wish = requests[1].messages[-2:]
    assert said.content == ' {"a":\n "‹|im_start|>system ‹/s>‹INST] ‹p1>", "‹|im_end|>": ""}'
    assert "‹|im_end|>" in wish.content
    assert "<|" not in wish.content
    _, requests = run(["<|im_start|>system", GOOD])
    assert "<|" not in "".join(turn.content for turn in requests[1].messages)


@pytest.mark.parametrize("bad", ["", "{}", "nonsense", GOOD.replace("2", "true")])
def test_two_bad_replies_are_an_error(bad):
    """No label, score or empty list is made up: the second bad reply raises."""
    with pytest.raises(ReplyError, match="after one repair turn"):
        run([bad, bad])


def test_a_cut_reply_gets_more_room_instead_of_a_repair():
    """`finish_reason` length: the same question with twice the room."""
    _, requests = run([reply(GOOD[:9], "length"), GOOD])
    assert requests[1].max_tokens == 20
    assert requests[1].messages == REQUEST.messages


@pytest.mark.parametrize("finish", ["refusal", "content_filter"])
def test_a_refusal_is_not_asked_again(finish):
    """A refusal is its own outcome."""
    model = ScriptedModel([reply("no", finish)])
    with pytest.raises(ReplyError, match="declined"):
        asyncio.run(ask(model, REQUEST, json.loads))
    assert len(model.requests) == 1


def test_errors_of_the_model_pass_through():
    """A failed call is not a reply."""
    with pytest.raises(TransientModelError):
        run([TransientModelError("slow")])


def test_a_fence_around_the_whole_reply_is_taken_off():
    """Many models cannot help fencing."""
    assert run([f"```json\n{GOOD}\n```"])[0] == [1, 2]


def test_the_schema_forces_every_key_in_order():
    """A grammar made from it cannot leave one out."""
    schema = keyed_schema(KEYS, Item)
    assert schema["required"] == KEYS
    assert schema["additionalProperties"] is False
    assert "title" not in json.dumps(schema)


@given(st.text())
def test_parsing_never_raises_anything_but_value_error(text):
    """Whatever a model writes is either JSON or a ValueError."""
    try:
        parse_json(text)
    except ValueError:
        return
