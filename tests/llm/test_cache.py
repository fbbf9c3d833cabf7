"""Kept calls."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from agent.errors import ModelError, ReplyError
from agent.llm.base import ChatRequest, Message
from agent.llm.cache import CachedModel, KeepingModel, ReplayModel
from agent.llm.fake import ScriptedModel
from agent.llm.reply import ask
from agent.llm.retry import RetryingModel


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


class SlowDisk(Shelf):
    """Keeps nothing before it may; `asked` counts the saves that were begun."""

    def __init__(self):
        super().__init__()
        self.may, self.asked = threading.Event(), 0

    def save_call(self, sha256, request, reply):
        self.asked += 1
        assert self.may.wait(10)
        super().save_call(sha256, request, reply)


async def _until(holds):
    while not holds():  # noqa: ASYNC110 (what it waits for is set by a thread)
        await asyncio.sleep(0.001)


def test_what_is_not_on_the_disk_yet_still_counts_as_in_flight():
    """Two places, a disk that hangs: no third call is made, however many wait, and all are kept in the end."""
    model, disk = ScriptedModel(lambda _: "yes"), SlowDisk()
    patient = RetryingModel(KeepingModel(model, disk), attempts=1, wait_base=0, concurrency=2)

    async def work():
        calls = [asyncio.ensure_future(patient.complete(request(str(n)))) for n in range(5)]
        await _until(lambda: disk.asked == 2)
        await asyncio.sleep(0.05)
        made, over = len(model.requests), sum(call.done() for call in calls)
        disk.may.set()
        await asyncio.gather(*calls)
        return made, over

    assert asyncio.run(work()) == (2, 0)
    assert len(disk.calls) == 5


def test_a_cancelled_call_keeps_what_was_paid():
    """It ends when its reply is on the disk."""
    disk = SlowDisk()

    async def work():
        call = asyncio.ensure_future(KeepingModel(ScriptedModel(["yes"]), disk).complete(request()))
        await _until(lambda: disk.asked == 1)
        call.cancel()
        disk.may.set()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(work())
    assert len(disk.calls) == 1


def test_what_was_kept_is_not_kept_again():
    """One save a call, whoever does it."""
    disk = SlowDisk()
    disk.may.set()
    cached = CachedModel(KeepingModel(ScriptedModel(["yes"]), disk), disk, saves=False)
    assert [asyncio.run(cached.complete(request())).text for _ in range(2)] == ["yes", "yes"]
    assert disk.asked == 1
