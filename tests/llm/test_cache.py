"""Kept calls."""

from __future__ import annotations

import asyncio
import json

import pytest

from agent.errors import ModelError, ReplyError
from agent.llm.base import ChatRequest, Message
from agent.llm.cache import CachedModel, ReplayModel
from agent.llm.fake import ScriptedModel
from agent.llm.reply import ask


def request(text="?", **changes):
    base = ChatRequest(messages=(Message(role="user", content=text),), schema_name="t", json_schema={}, max_tokens=10)
    return base.model_copy(update=changes)


class Shelf:
    def drop_call(self, sha256):
        self.calls.pop(sha256, None)

    def __init__(self):
        self.calls = {}

    def find_call(self, sha256):
        return self.calls.get(sha256)

    def save_call(self, sha256, request, reply):
        self.calls[sha256] = reply


def test_a_finished_call_is_never_paid_twice():
    """The second time nobody is asked, and nothing is added to the bill."""
    model, shelf = ScriptedModel(["one"]), Shelf()
    cached = CachedModel(model, shelf)
    assert [asyncio.run(cached.complete(request())).text for _ in range(2)] == ["one", "one"]
    assert cached.paid.model_calls == len(model.requests) == 1
    later = CachedModel(ScriptedModel([]), shelf)
    assert asyncio.run(later.complete(request())).text == "one"
    assert later.paid.model_calls == 0


def test_equal_requests_in_flight_share_one_call():
    """Twenty at once are one."""
    model = ScriptedModel(["one"])
    cached = CachedModel(model, Shelf())

    async def work():
        return await asyncio.gather(*(cached.complete(request()) for _ in range(20)))

    assert {reply.text for reply in asyncio.run(work())} == {"one"}
    assert len(model.requests) == 1


def test_a_failed_call_is_not_kept():
    """The next try asks again."""
    cached = CachedModel(ScriptedModel([ModelError("no"), "two"]), Shelf())
    with pytest.raises(ModelError):
        asyncio.run(cached.complete(request()))
    assert asyncio.run(cached.complete(request())).text == "two"


@pytest.mark.parametrize("change", [{"max_tokens": 11}, {"json_schema": {"a": 1}}, {"wants_logprobs": True}])
def test_every_part_of_a_request_is_part_of_its_address(change):
    """Another schema or limit is another call; another model too."""
    assert request().sha256("m") != request(**change).sha256("m")
    assert request().sha256("m") != request().sha256("n")
    assert request().sha256("m") == request().sha256("m")


def test_a_changed_copy_has_an_address_of_its_own():
    """Also after the address of the first has been asked for, which is then kept."""
    first = request()
    before = first.sha256("m")
    assert first.model_copy(update={"max_tokens": 11}).sha256("m") == request(max_tokens=11).sha256("m") != before


def test_useless_replies_are_not_served_again():
    """After a reply error the same question is asked afresh; a bad reply that was mended is kept for the replay."""
    shelf = Shelf()
    with pytest.raises(ReplyError):
        asyncio.run(ask(CachedModel(ScriptedModel(["bad", "worse"]), shelf), request(), json.loads))
    assert shelf.calls == {}
    model = ScriptedModel(["bad", '"good"'])
    assert asyncio.run(ask(CachedModel(model, shelf), request(), json.loads))[0] == "good"
    assert len(model.requests) == len(shelf.calls) == 2


def test_replay_knows_only_what_was_kept():
    """It never asks anybody."""
    shelf = Shelf()
    asyncio.run(CachedModel(ScriptedModel(["one"], model_id="m"), shelf).complete(request()))
    replaying = ReplayModel("m", shelf)
    assert asyncio.run(replaying.complete(request())).text == "one"
    with pytest.raises(ModelError, match="no kept reply"):
        asyncio.run(replaying.complete(request("other")))
