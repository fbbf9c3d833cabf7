"""A model behind a provider's Batch API, against one on loopback that speaks its protocol."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest
from pydantic import SecretStr

from agent.errors import ConfigError, ModelError, TransientModelError
from agent.llm.base import ChatRequest, Message
from agent.llm.ledger import BatchLedger
from agent.llm.openai import connect, connect_batches
from agent.llm.provider_batch import BatchingModel, Rhythm
from agent.runlog import RunLog
from tests.provider import provider

RHYTHM = Rhythm(quiet=0.05, poll=0.01, attempts=3, wait_base=0)


def request(number):
    return ChatRequest(
        messages=(Message(role="user", content=f"[1] Sentence {number}."),),
        schema_name="extraction",
        json_schema={"type": "object"},
        max_tokens=50,
    )


def ask(server, folder, numbers, rhythm=RHYTHM, *, within=20.0, said=None):
    """Replies or errors, in the order asked; `within` seconds, then the process is as good as killed."""

    async def work():
        door = connect_batches("m", base_url=server.url, api_key=SecretStr("k"), timeout=5)
        with RunLog(folder / "log") as log:
            tell = (said if said is not None else []).append
            model = BatchingModel(door, BatchLedger(folder), log, rhythm, tell)
            try:
                async with asyncio.timeout(within):
                    work = [model.complete(request(number)) for number in numbers]
                    return await asyncio.gather(*work, return_exceptions=True)
            finally:
                await model.aclose()

    return asyncio.run(work())


def texts(found):
    return [one if isinstance(one, Exception) else one.text for one in found]


def test_requests_that_come_together_are_one_file_and_each_gets_its_own_reply(tmp_path):
    """Results come in another order; equal requests are sent once."""
    with provider() as server:
        found = ask(server, tmp_path, [*range(20), 3])
        assert len(server.batches) == 1
        assert len(server.files["file-0"].splitlines()) == 20
        sent = {json.loads(line)["custom_id"] for line in server.files["file-0"].splitlines()}
    assert sent == {request(n).sha256("m") for n in range(20)}
    assert {one.usage.prompt_tokens for one in found} == {90}
    assert BatchLedger(tmp_path).open() == ()


def test_a_line_holds_what_the_same_request_sends_directly(tmp_path, httpserver):
    """So the reply is that of the model asked directly."""
    httpserver.expect_request("/v1/chat/completions").respond_with_json({"choices": []})
    wanted = request(1).model_copy(update={"wants_logprobs": True})

    async def work():
        direct = connect("m", base_url=httpserver.url_for("/v1"), api_key=SecretStr("k"), timeout=5)
        with pytest.raises(ModelError):
            await direct.complete(wanted)
        await direct.aclose()

    asyncio.run(work())
    from agent.llm.openai import request_body

    sent = json.loads(httpserver.log[0][0].data)
    assert sent.pop("stream", False) is False
    assert request_body("m", wanted) == sent


def test_files_are_cut_by_number_and_by_size(tmp_path):
    """The provider takes no larger ones."""
    with provider() as server:
        ask(server, tmp_path / "a", range(7), Rhythm(quiet=0.05, poll=0.01, wait_base=0, most_requests=3))
        assert [len(server.files[one["input_file_id"]].splitlines()) for one in server.batches.values()] == [3, 3, 1]
    with provider() as server:
        ask(server, tmp_path / "b", range(7), Rhythm(quiet=0.05, poll=0.01, wait_base=0, most_bytes=900))
        sizes = [len(server.files[one["input_file_id"]]) for one in server.batches.values()]
        assert len(sizes) > 2
        assert max(sizes) <= 900


def test_what_expired_or_failed_for_a_while_is_sent_again_and_nothing_else(tmp_path):
    """Each answer is paid once; after so many batches it counts as failed; a refused request is not sent again."""
    bad = {request(n).sha256("m"): n for n in range(4)}
    fates = {0: lambda n: "expired" if n == 1 else "ok", 1: lambda n: 500 if n < 3 else "ok"}
    fates |= {2: lambda n: 429, 3: lambda n: 400}
    with provider() as server:
        server.fate = lambda name, n, body: fates[bad[name]](n) if name in bad else "ok"
        found = texts(ask(server, tmp_path, range(8)))
        asked = [server.asked[request(n).sha256("m")] for n in range(5)]
        assert server.repeats_after_success == 0
    assert asked == [2, 3, 3, 1, 1]
    assert isinstance(found[2], TransientModelError)
    assert "code_429" in str(found[2])
    assert isinstance(found[3], ModelError)
    assert [one for n, one in enumerate(found) if n not in {2, 3}] == [found[4]] * 6


def test_an_expired_batch_keeps_what_it_answered(tmp_path):
    """Only the rest is sent again."""
    late = {request(n).sha256("m") for n in (1, 2)}
    with provider() as server:
        server.verdict = ("expired", None)

        def fate(name, n, body):
            server.verdict = None
            return "expired" if name in late and n == 1 else "ok"

        server.fate = fate
        assert not [one for one in ask(server, tmp_path, range(5)) if isinstance(one, Exception)]
        assert [server.asked[request(n).sha256("m")] for n in range(5)] == [1, 2, 2, 1, 1]


@pytest.mark.parametrize("when", ["while it runs", "before its id was told"])
def test_the_next_process_finds_a_batch_again_and_pays_nothing_twice(tmp_path, when):
    """Also one whose id never arrived: it carries our mark."""
    with provider() as server:
        server.looks = 10**6
        if when == "before its id was told":
            server.faults = [("create", "after", 500, {})] + [("list", "before", 500, {})] * 50
        with suppress(TimeoutError):
            ask(server, tmp_path, range(5), within=1.0)
        ((_, _, batch, size),) = BatchLedger(tmp_path).open()
        assert (batch is None, size) == (when == "before its id was told", 5)
        server.looks, server.faults = 2, []
        assert len(server.batches) == 1
        said = []
        assert not [one for one in ask(server, tmp_path, range(6), said=said) if isinstance(one, Exception)]
        assert server.repeats_after_success == 0
        assert len(server.batches) == 2  # the second with the one new request
    assert "found again" in said[0]


def test_replies_that_nobody_waits_for_any_more_are_kept(tmp_path):
    """They are paid."""
    with provider() as server:
        server.looks = 10**6
        with pytest.raises(TimeoutError):
            ask(server, tmp_path, [1, 2], within=0.6)
        server.looks = 2
        ask(server, tmp_path, [2])
        with RunLog(tmp_path / "log") as log:
            assert log.find_call(request(1).sha256("m")) is not None


def test_a_file_that_was_never_sent_is_sent_by_the_next_process(tmp_path):
    """The ledger knew of it before the provider did."""
    with provider() as server:
        server.faults = [("upload", "before", 500, {})] * 20
        assert all(isinstance(one, ConfigError) for one in ask(server, tmp_path, range(3)))
        server.faults = []
        assert not [one for one in ask(server, tmp_path, range(3)) if isinstance(one, Exception)]
        assert len(server.batches) == 1


@pytest.mark.parametrize("route", ["upload", "create", "look", "read"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_calls_to_the_provider_are_tried_again(tmp_path, route, when):
    """A create that went through, but said it did not, is no second batch."""
    with provider() as server:
        server.faults = [(route, when, 500, {}), (route, when, 429, {"retry-after": "0.1"})]
        assert not [one for one in ask(server, tmp_path, range(3)) if isinstance(one, Exception)]
        assert len(server.batches) == 1
        assert server.repeats_after_success == 0


def test_a_provider_that_answered_before_is_waited_for(tmp_path):
    """As long as an outage may last, not only a few tries."""
    with provider() as server:
        server.faults = [("look", "before", 503, {})] * 6
        found = ask(server, tmp_path, [1], Rhythm(quiet=0.05, poll=0.01, attempts=3, wait_base=0, outage=20))
    assert not isinstance(found[0], Exception)


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [("failed", "model_not_found", "was refused"), ("cancelled", None, "was cancelled at the provider")],
)
def test_a_batch_that_ends_otherwise_is_for_the_user_to_settle(tmp_path, status, code, told):
    """The run stops, and says why."""
    with provider() as server:
        server.verdict = (status, code)
        server.fate = lambda name, n, body: "expired"
        found = ask(server, tmp_path, range(3))
    assert all(isinstance(one, ConfigError) and told in str(one) for one in found)


def test_where_too_much_is_waiting_smaller_files_are_sent(tmp_path):
    """Half as large each time it is refused."""
    with provider() as server:
        create = server.create

        def checked(body):
            many = len(server.files[body["input_file_id"]].splitlines()) > 3
            server.verdict = ("failed", "token_limit_exceeded") if many else None
            return create(body)

        server.create = checked
        found = ask(server, tmp_path, range(8))
        assert not [one for one in found if isinstance(one, Exception)]
        assert server.repeats_after_success == 0


def test_a_wrong_key_stops_at_once(tmp_path):
    """Nothing is tried again."""
    with provider() as server:
        server.faults = [("upload", "before", 401, {})]
        found = ask(server, tmp_path, range(3))
        assert all(isinstance(one, ConfigError) and "OPENAI_API_KEY" in str(one) for one in found)
        assert server.calls == {"upload": 1}


@pytest.mark.parametrize("route", ["look", "read"])
def test_a_batch_that_the_provider_does_not_know_is_not_paid_again(tmp_path, route):
    """It is probably the wrong address or key: the ledger keeps it, and with the right one it is collected."""
    with provider() as server:
        server.faults = [(route, "before", 404, {})]
        found = ask(server, tmp_path, range(3))
        assert all(isinstance(one, ConfigError) and "provider.sqlite" in str(one) for one in found)
        assert not [one for one in ask(server, tmp_path, range(3)) if isinstance(one, Exception)]
        assert len(server.batches) == 1
