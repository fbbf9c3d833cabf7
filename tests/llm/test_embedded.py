"""The embedded model: started when needed, started again when it died."""

from __future__ import annotations

import asyncio

import pytest

from agent.errors import TransientModelError
from agent.llm.base import ChatRequest, Message, StartableModel
from agent.llm.embedded import EmbeddedModel
from agent.llm.fake import ScriptedModel

REQUEST = ChatRequest(messages=(Message(role="user", content="?"),), schema_name="t", json_schema={}, max_tokens=1)


class Server:
    def __init__(self, *, alive=True):
        self.alive, self.closed = alive, False

    def is_alive(self):
        return self.alive

    def close(self):
        self.closed = True


def embedded(servers, replies):
    started = iter(servers)
    scripts = iter(replies)
    return EmbeddedModel(model_id="m@1", start=lambda: next(started), connect=lambda _: ScriptedModel([next(scripts)]))


def test_nothing_is_started_until_the_first_call():
    """A run that finds all replies kept needs no server."""
    server = Server()
    model = embedded([server], ["yes"])
    asyncio.run(model.aclose())
    assert not server.closed
    assert asyncio.run(model.complete(REQUEST)).text == "yes"
    asyncio.run(model.aclose())
    assert server.closed


def test_it_may_be_started_ahead_of_the_first_call():
    """Once, and the call finds it running."""
    server = Server()
    model = embedded([server], ["yes"])
    asyncio.run(model.start())
    assert isinstance(model, StartableModel)
    assert asyncio.run(model.complete(REQUEST)).text == "yes"
    asyncio.run(model.aclose())
    assert server.closed


def test_calls_at_the_same_time_start_one_server():
    """The second finds the first one's."""
    served = ScriptedModel(["a", "b", "c"])
    started = iter([Server()])
    model = EmbeddedModel(model_id="m@1", start=lambda: next(started), connect=lambda _: served)

    async def work():
        return await asyncio.gather(*(model.complete(REQUEST) for _ in range(3)))

    assert sorted(reply.text for reply in asyncio.run(work())) == ["a", "b", "c"]


def test_a_server_that_died_is_replaced_at_the_next_try():
    """The failed call is transient; the retry finds a new server."""
    dead, fresh = Server(alive=False), Server()
    model = embedded([dead, fresh], [TransientModelError("gone"), "yes"])
    with pytest.raises(TransientModelError):
        asyncio.run(model.complete(REQUEST))
    assert dead.closed
    assert asyncio.run(model.complete(REQUEST)).text == "yes"


def test_a_server_that_only_failed_is_kept():
    """One bad call is no reason to load the model again."""
    server = Server()
    served = ScriptedModel([TransientModelError("slow"), "yes"])
    model = EmbeddedModel(model_id="m@1", start=lambda: server, connect=lambda _: served)
    with pytest.raises(TransientModelError):
        asyncio.run(model.complete(REQUEST))
    assert not server.closed
    assert asyncio.run(model.complete(REQUEST)).text == "yes"
