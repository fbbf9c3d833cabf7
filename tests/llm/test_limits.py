"""What holds calls back: limits a minute, a deadline, and a server that is down. All against servers on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from werkzeug import Response

from agent.errors import ConfigError, TransientModelError
from agent.llm.base import ChatRequest, Message
from agent.llm.openai import connect
from agent.llm.retry import Limits, RetryingModel
from tests.faults import fault_server

REPLY = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{}"}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 10, "total_tokens": 50},
}  # fmt: skip


def request(n):
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    return ChatRequest(
        messages=(Message(role="user", content=f"question {n}"),), schema_name="t", json_schema=schema, max_tokens=10
    )


class Server:
    """Up or down, as told; remembers when it was asked."""

    def __init__(self, httpserver, delay=0.0):
        self.is_up, self.asked, self.delay = True, [], delay
        self.url = httpserver.url_for("/v1")
        httpserver.expect_request("/v1/chat/completions").respond_with_handler(self.answer)

    def answer(self, _):
        self.asked.append(time.monotonic())
        time.sleep(self.delay)
        return Response(json.dumps(REPLY) if self.is_up else "down", status=200 if self.is_up else 503)


def ask(url, numbers, *, before=lambda: None, attempts=2, **limits):
    """One call to warm up, then all the others side by side; errors are values."""

    async def work():
        inner = connect("m", base_url=url, api_key=None, timeout=20)
        model = RetryingModel(inner, attempts=attempts, wait_base=0, concurrency=8, limits=Limits(**limits))
        try:
            await model.complete(request("first"))
            before()
            return await asyncio.gather(*(model.complete(request(n)) for n in numbers), return_exceptions=True)
        finally:
            await inner.aclose()

    return asyncio.run(work())


def test_never_more_requests_a_minute_than_allowed_for_all_callers_together(httpserver):
    """Evenly spread."""
    server = Server(httpserver)
    ask(server.url, range(6), requests_per_minute=600)
    gaps = [later - earlier for earlier, later in zip(server.asked, server.asked[1:], strict=False)]
    assert len(gaps) == 6
    assert server.asked[-1] - server.asked[0] >= 0.55
    assert min(gaps) > 0.03  # a tenth of a second, less what a loaded machine jitters


def test_never_more_tokens_a_minute_than_allowed(httpserver):
    """Fifty tokens a call, as the server counts them, at 300 a second."""
    server = Server(httpserver)
    ask(server.url, range(6), tokens_per_minute=18_000)
    assert server.asked[-1] - server.asked[0] >= 0.2


def test_a_call_ends_at_its_deadline(httpserver):
    """However many tries it had left."""
    server = Server(httpserver)

    def slow():
        server.delay = 1.0

    began = time.monotonic()
    (error,) = ask(server.url, [1], before=slow, attempts=9, deadline=0.3)
    assert isinstance(error, TransientModelError)
    assert "deadline of 0.3 s" in str(error)
    assert time.monotonic() - began < 8
    assert len(server.asked) == 2


def test_a_server_that_is_down_is_waited_for_and_no_call_is_lost(httpserver):
    """It is said, one call looks at a time, and all get their answer when it is back."""
    server, said = Server(httpserver), []

    def outage():
        server.is_up = False
        threading.Timer(1.5, lambda: setattr(server, "is_up", True)).start()

    found = ask(server.url, range(20), before=outage, outage=60, first_pause=0.2, tell=said.append)
    assert [reply.text for reply in found] == ["{}"] * 20
    assert len(server.asked) <= 1 + 8 + 8 + 20  # in flight when it went down, the looks, and the answers
    assert "seems to be down" in said[0]
    assert "answers again" in said[-1]
    assert len(said) == 2


def test_an_outage_that_lasts_too_long_stops_the_run(httpserver):
    """With the cure."""
    server = Server(httpserver)

    def outage():
        server.is_up = False

    found = ask(server.url, range(8), before=outage, outage=0.5, first_pause=0.2, tell=lambda _: None)
    stopped = [error for error in found if isinstance(error, ConfigError)]
    assert stopped
    assert "begin again when it is up" in str(stopped[0])


def test_one_request_that_always_fails_is_no_outage(httpserver):
    """The others go on, and it ends after its tries."""
    said = []
    with fault_server(["match=question 3:500"]) as server:
        found = ask(server.base_url, range(6), outage=60, first_pause=5, tell=said.append)
    assert [isinstance(one, TransientModelError) for one in found] == [False, False, False, True, False, False]
    assert said == []


@pytest.mark.parametrize("wait", [0.3])
def test_retry_after_is_no_outage_and_holds_back_all(wait):
    """The server says what it wants."""
    said = []
    with fault_server([f"every=2:429:retry-after={wait}"]) as server:
        found = ask(server.base_url, range(6), attempts=8, outage=60, first_pause=5, tell=said.append)
        assert server.stats()["early_retries"] == 0
    assert not [one for one in found if isinstance(one, Exception)]
    assert said == []
