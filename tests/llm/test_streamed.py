"""Replies read while they are written: kept, counted, and held to the limits of all other calls."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from agent.domain import Usage
from agent.errors import ModelError, TransientModelError
from agent.llm.base import ChatReply, ChatRequest, Message
from agent.llm.fake import ScriptedModel
from agent.llm.retry import RetryingModel
from agent.llm.streamed import StreamedModel
from agent.runlog import RunLog

ASKED = ChatRequest(messages=(Message(role="user", content="x"),), schema_name="x", json_schema={}, max_tokens=9)
OTHER = ASKED.model_copy(update={"max_tokens": 8})
COST = Usage(model_calls=1, prompt_tokens=10, completion_tokens=5)


class Busy(ScriptedModel):
    """Remembers how many calls were open at once, and waits between pieces."""

    open = most = 0

    async def stream(self, request):
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async for piece in super().stream(request):
                await asyncio.sleep(0.001)
                yield piece
        finally:
            self.open -= 1


def streamed(model, log, concurrency=2):
    return StreamedModel(model, RetryingModel(model, attempts=3, wait_base=0, concurrency=concurrency), log)


async def read(model, request=ASKED):
    return "".join([piece async for piece in model.stream(request)])


def test_a_reply_is_asked_for_once_and_counted_once(tmp_path):
    """The same words again come out of the run log, also for one that does not read in pieces."""
    inner = ScriptedModel(["a long reply, in pieces"])

    async def work():
        with RunLog(tmp_path) as log:
            model = streamed(inner, log)
            first, again = await read(model), await read(model)
            whole = await model.complete(ASKED)
            return first, again, whole.text, model.paid

    first, again, whole, paid = asyncio.run(work())
    assert first == again == whole == "a long reply, in pieces"
    assert len(inner.requests) == 1
    assert paid == COST


def test_streams_take_the_places_of_other_calls(tmp_path):
    """Never more at once than the limit, streams and ordinary calls together."""
    inner = Busy(lambda request: "a reply of some length")

    async def work():
        with RunLog(tmp_path) as log:
            model = streamed(inner, log, concurrency=2)
            requests = [ASKED.model_copy(update={"max_tokens": n}) for n in range(1, 9)]
            await asyncio.gather(*(read(model, request) for request in requests))
            return model.paid.model_calls

    assert asyncio.run(work()) == 8
    assert inner.most == 2


@pytest.mark.parametrize("error", [TransientModelError("busy"), ModelError("no")])
def test_an_error_gives_the_place_back_and_keeps_nothing(tmp_path, error):
    """Tried once; the call counts, for it may have cost something; the next one goes through."""
    inner = ScriptedModel([error, "now"])

    async def work():
        with RunLog(tmp_path) as log:
            model = streamed(inner, log, concurrency=1)
            with pytest.raises(type(error)):
                await read(model)
            return await read(model), model.paid

    said, paid = asyncio.run(work())
    assert said == "now"
    assert paid == Usage(model_calls=1) + COST


def test_a_reply_that_was_cut_or_left_is_not_kept(tmp_path):
    """Neither one that ended for want of room, nor one whose reader went away; its place is free again."""
    inner = ScriptedModel([
        ChatReply(text="half a", finish_reason="length", usage=COST), "a reply that nobody reads to its end", "whole", "b",
    ])  # fmt: skip

    async def work():
        with RunLog(tmp_path) as log:
            model = streamed(inner, log, concurrency=1)
            await read(model)
            async with aclosing(model.stream(ASKED)) as pieces:
                await anext(pieces)
            return await read(model), await read(model), await read(model, OTHER)

    assert asyncio.run(work()) == ("whole", "whole", "b")
    assert len(inner.requests) == 4
