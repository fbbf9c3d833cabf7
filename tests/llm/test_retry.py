"""The one retry policy."""

from __future__ import annotations

import asyncio
import time

import pytest

from agent.domain import Usage
from agent.errors import ConfigError, ModelError, TransientModelError
from agent.llm.base import ChatReply, ChatRequest, Message
from agent.llm.fake import ScriptedModel
from agent.llm.retry import RetryingModel

REQUEST = ChatRequest(messages=(Message(role="user", content="?"),), schema_name="test", json_schema={}, max_tokens=10)
SLOW = TransientModelError("slow")


def patient(script, attempts=3, concurrency=4):
    model = ScriptedModel(script)
    return model, RetryingModel(model, attempts=attempts, wait_base=0, concurrency=concurrency)


def test_transient_errors_are_tried_again():
    """Two failures and an answer: three requests."""
    model, retrying = patient([SLOW, SLOW, "yes"])
    assert asyncio.run(retrying.complete(REQUEST)).text == "yes"
    assert len(model.requests) == 3


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_a_call_costs_at_most_the_configured_tries(attempts):
    """N tries are N requests, not N squared."""
    model, retrying = patient(lambda _: SLOW, attempts=attempts)
    with pytest.raises(ConfigError, match=f"gave up after {attempts} tries"):
        asyncio.run(retrying.complete(REQUEST))
    assert len(model.requests) == attempts


def test_after_an_answer_exhausted_tries_are_a_transient_error():
    """A server that has worked is not a wrong address."""

    async def work():
        await retrying.complete(REQUEST)
        await retrying.complete(REQUEST)

    _, retrying = patient(["yes", SLOW, SLOW, SLOW])
    with pytest.raises(TransientModelError):
        asyncio.run(work())


@pytest.mark.parametrize("error", [ConfigError("key"), ModelError("too long")])
def test_errors_that_will_not_pass_are_not_tried_again(error):
    """A wrong key costs one request."""
    model, retrying = patient([error, "yes"])
    with pytest.raises(type(error)):
        asyncio.run(retrying.complete(REQUEST))
    assert len(model.requests) == 1


def test_retry_after_holds_back_all_calls():
    """The server's wish is the other callers' too."""
    asked = []

    class Server:
        id = "server"

        async def complete(self, request):
            asked.append(time.monotonic())
            if len(asked) == 1:
                raise TransientModelError("busy", retry_after=0.3)
            return ChatReply(text="yes", finish_reason="stop", usage=Usage())

    async def work():
        retrying = RetryingModel(Server(), attempts=3, wait_base=0, concurrency=1)
        await asyncio.gather(retrying.complete(REQUEST), retrying.complete(REQUEST))

    asyncio.run(work())
    assert all(later - asked[0] >= 0.29 for later in asked[1:])


def test_a_wait_past_the_limit_stops_the_run():
    """A server that wants ten minutes is not there for us."""
    _, retrying = patient([TransientModelError("busy", retry_after=600)])
    with pytest.raises(ConfigError, match="600 s"):
        asyncio.run(retrying.complete(REQUEST))


@pytest.mark.parametrize("limit", [1, 4])
def test_never_more_calls_in_flight_than_allowed(limit):
    """The limit holds for all callers together."""
    now, most = 0, 0

    class Server:
        id = "server"

        async def complete(self, request):
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.005)
            now -= 1
            return ChatReply(text="yes", finish_reason="stop", usage=Usage())

    async def work():
        retrying = RetryingModel(Server(), attempts=1, wait_base=0, concurrency=limit)
        await asyncio.gather(*(retrying.complete(REQUEST) for _ in range(12)))

    asyncio.run(work())
    assert most == limit
