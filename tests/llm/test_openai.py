"""The adapter to chat models, over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from pydantic import SecretStr

from agent.errors import ConfigError, ModelError, TransientModelError
from agent.llm.base import ChatRequest, Message
from agent.llm.openai import LangChainModel, connect, connect_batches
from agent.settings import refuse_socks
from tests.faults import fault_server

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
REQUEST = ChatRequest(
    messages=(Message(role="system", content="s"), Message(role="user", content="?")),
    schema_name="test",
    json_schema=SCHEMA,
    max_tokens=50,
)


def model(base_url, timeout=10.0, key="sk-test"):
    return connect("mock-model", base_url=base_url, api_key=SecretStr(key), timeout=timeout)


def complete(asked, request=REQUEST):
    """Ask and close, as a desk does."""

    async def work():
        try:
            return await asked.complete(request)
        finally:
            await asked.aclose()

    return asyncio.run(work())


def answer(text="{}", **choice):
    return {
        "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}} | choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
                  "prompt_tokens_details": {"cached_tokens": 4}},
    }  # fmt: skip


def test_schema_limits_and_logprobs_are_asked_for(httpserver):
    """The request on the wire is what the stage asked; the reply comes back raw, with its counts."""
    logprobs = {"content": [{"token": "{}", "logprob": -0.1, "top_logprobs": [{"token": "{}", "logprob": -0.1}]}]}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer(logprobs=logprobs))
    request = REQUEST.model_copy(update={"wants_logprobs": True})
    reply = complete(model(httpserver.url_for("/v1")), request)
    sent = json.loads(httpserver.log[0][0].data)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (
        sent["max_completion_tokens" if "max_completion_tokens" in sent else "max_tokens"],
        sent["temperature"],
    ) == (50, 0)
    assert sent["logprobs"] is True
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]
    assert (reply.text, reply.finish_reason) == ("{}", "stop")
    assert reply.logprobs[0].alternatives == {"{}": -0.1}
    usage = reply.usage
    assert (usage.model_calls, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (1, 9, 4, 3)


def test_a_failure_is_one_request(httpserver):
    """The client retries nothing by itself."""
    httpserver.expect_request("/v1/chat/completions").respond_with_data(
        "busy", status=503, headers={"Retry-After": "7"}
    )
    with pytest.raises(TransientModelError) as caught:
        complete(model(httpserver.url_for("/v1")), REQUEST)
    assert caught.value.retry_after == 7
    assert len(httpserver.log) == 1


def test_each_run_has_its_own_client_and_needs_no_proxy(httpserver, monkeypatch):
    """A second event loop works like the first, and loopback calls ignore a proxy of the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY")
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer())
    for _ in range(2):
        assert complete(model(httpserver.url_for("/v1")), REQUEST).text == "{}"


def test_a_refusal_is_told_from_text(httpserver):
    """`message.refusal` gives the finish reason `refusal`."""
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with that"}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer(message=message))
    reply = complete(model(httpserver.url_for("/v1")), REQUEST)
    assert (reply.finish_reason, reply.text) == ("refusal", "I cannot help with that")


def test_an_answer_without_a_choice_may_pass(httpserver):
    """Some servers answer so when they are too busy: the next try may bring one."""
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer() | {"choices": []})
    with pytest.raises(TransientModelError, match="unreadable answer"):
        complete(model(httpserver.url_for("/v1")), REQUEST)


def test_no_server_names_the_address():
    """A wrong address is named."""
    with pytest.raises(TransientModelError, match="no connection to 127.0.0.1:9 "):
        complete(model("http://127.0.0.1:9/v1"), REQUEST)


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("always:key", ConfigError, "OPENAI_API_KEY"),
        ("always:model", ConfigError, "FACTDESK_MODEL"),
        ("always:quota", ConfigError, "quota"),
        ("always:400", ModelError, "refused the request"),
        ("always:context", ModelError, "refused the request"),
        ("always:408", TransientModelError, None),
        ("always:429", TransientModelError, None),
        ("always:500", TransientModelError, None),
        ("always:reset", TransientModelError, None),
        ("always:hang=5", TransientModelError, "1 s"),
        ("always:slow=5", TransientModelError, "1 s"),
        ("always:truncate", TransientModelError, None),
        ("always:html", TransientModelError, None),
        ("always:badbody", TransientModelError, None),
    ],
)
def test_every_fault_becomes_one_of_our_errors(fault, error, says):
    """What may pass and what will not are told apart, with one request, and the key is in no message."""
    with fault_server([fault]) as server:
        with pytest.raises(error, match=says) as caught:
            complete(model(server.base_url, timeout=1, key="sk-canary-123456"), REQUEST)
        assert type(caught.value) is error
        assert "canary" not in str(caught.value)
        assert server.stats()["requests"] == 1


@pytest.mark.parametrize(("fault", "finish"), [("always:length", "length"), ("always:filter", "content_filter")])
def test_unfinished_replies_say_so(fault, finish):
    """Incomplete is never taken for complete."""
    with fault_server([fault]) as server:
        assert complete(model(server.base_url), REQUEST).finish_reason == finish


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_key_the_server_repeats_is_masked(httpserver, monkeypatch, status):
    """Ours, of whatever form and wherever the message would be cut, and what looks like another's."""
    key, other = "canary-of-no-form-" + "7f3a90" * 8, "sk-foreign-canary"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    said = {"error": {"message": f"{'x' * 120} {key} and {other}", "type": "invalid_request_error"}}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(said, status=status)
    with pytest.raises(ModelError, match="refused the request") as caught:
        complete(model(httpserver.url_for("/v1"), key=key))
    assert "canary" not in str(caught.value)


def test_a_key_in_another_providers_error_is_masked(monkeypatch):
    """Its client's exceptions may hold what was sent."""
    monkeypatch.setenv("FOREIGN_API_KEY", "canary-of-no-form")

    class Failing(GenericFakeChatModel):
        def _generate(self, *args, **kwargs):
            raise RuntimeError("refused: canary-of-no-form\nand more")

    chat = LangChainModel(Failing(messages=iter([])), model_id="other", timeout=5, speaks_openai=False)
    with pytest.raises(ModelError, match="RuntimeError: refused: ") as caught:
        complete(chat)
    assert "canary" not in str(caught.value)


@contextmanager
def raw_server(answer):
    """A socket that takes connections and answers each with these bytes; None: it reads nothing and says nothing."""
    held = []

    def serve():
        while True:
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            held.append(taken)
            if answer is not None:
                taken.recv(65536)
                taken.sendall(answer)
                taken.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        worker = threading.Thread(target=serve)
        worker.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            worker.join()
            for taken in held:
                taken.close()


def test_an_answer_that_is_no_http_may_pass():
    """Something between us and the server broke it; the next try may come through."""
    with raw_server(b"garbage\r\n\r\n") as address, pytest.raises(TransientModelError, match="Bad status line"):
        complete(model(address))


def test_a_redirection_is_not_followed(httpserver):
    """The key goes to no address that nobody set."""
    elsewhere = httpserver.url_for("/elsewhere")
    httpserver.expect_request("/elsewhere").respond_with_json(answer())
    httpserver.expect_request("/v1/chat/completions").respond_with_data(status=307, headers={"Location": elsewhere})
    with pytest.raises(ConfigError, match="elsewhere \\(307\\): check FACTDESK_BASE_URL"):
        complete(model(httpserver.url_for("/v1")))
    assert [request.path for request, _ in httpserver.log] == ["/v1/chat/completions"]


def test_a_provider_that_stops_reading_does_not_hold_an_upload_for_ever():
    """The client's own time-out does not count while it sends."""

    async def upload():
        with raw_server(None) as address:
            door = connect_batches("m", base_url=address, api_key=None, timeout=0.1)
            with pytest.raises(TransientModelError, match="no answer of the provider in 1 s"):
                await door.upload(b"x" * 2**25)
            await door.aclose()
        await asyncio.sleep(0.1)  # now that the other end is gone, the transport closes

    asyncio.run(asyncio.wait_for(upload(), 30))


def test_models_that_prefer_another_route_are_asked_by_chat_completions(httpserver):
    """LangChain would ask some names by `responses`, without our messages and schema."""
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer())
    chosen = connect("gpt-5-pro", base_url=httpserver.url_for("/v1"), api_key=None, timeout=5)
    assert complete(chosen).text == "{}"


def test_a_proxy_that_speaks_socks_is_named(monkeypatch):
    """Only where it would be used: not for a server on this machine, nor past NO_PROXY, nor beside an http proxy."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    for address in (None, "http://example.org/v1"):
        with pytest.raises(ConfigError, match="SOCKS"):
            connect("m", base_url=address, api_key=None, timeout=5)
        with pytest.raises(ConfigError, match="SOCKS"):
            connect_batches("m", base_url=address, api_key=None, timeout=5)
    refuse_socks("http://127.0.0.1:8000/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    refuse_socks("http://example.org/v1")
    monkeypatch.setenv("NO_PROXY", "example.org")
    refuse_socks("https://example.org/v1")


def test_another_providers_model_gets_the_schema_in_words():
    """A LangChain model that does not speak OpenAI's protocol is told the schema in the last message."""
    seen = []

    class Recording(GenericFakeChatModel):
        def _generate(self, messages, *args, **kwargs):
            seen.extend(messages)
            return super()._generate(messages, *args, **kwargs)

    reply = AIMessage(content='{"a": "b"}', response_metadata={"stop_reason": "end_turn"})
    chat = LangChainModel(Recording(messages=iter([reply])), model_id="other", timeout=5, speaks_openai=False)
    found = asyncio.run(chat.complete(REQUEST))
    assert (found.text, found.finish_reason) == ('{"a": "b"}', "stop")
    assert json.dumps(SCHEMA) in seen[-1].content


def test_a_missing_provider_package_is_named():
    """`provider:model` needs that provider's LangChain package."""
    with pytest.raises(ConfigError, match="not installed"):
        connect("anthropic:some-model", base_url=None, api_key=None, timeout=1)


async def _pieces(chosen):
    try:
        return [piece async for piece in chosen.stream(REQUEST)]
    finally:
        await chosen.aclose()


def test_a_stream_ends_with_the_whole_reply():
    """Pieces first; then text, finish reason and what it cost, as a call without a stream gives them."""
    with fault_server() as server:
        *pieces, whole = asyncio.run(_pieces(model(server.base_url)))
        plain = complete(model(server.base_url), REQUEST)
    assert all(isinstance(piece, str) for piece in pieces)
    assert len(pieces) > 1
    assert "".join(pieces) == whole.text == plain.text
    assert whole.finish_reason == "stop"
    assert (whole.usage.model_calls, whole.usage.prompt_tokens) == (1, plain.usage.prompt_tokens)
    assert whole.usage.completion_tokens > 0


@pytest.mark.parametrize(
    "fault", ["always:truncate", "always:reset-mid", "always:nodone", "always:500", "always:stall=5"]
)
def test_a_broken_stream_is_an_error(fault):
    """Incomplete is never taken for complete, even where the client says nothing (F7)."""
    with fault_server([fault]) as server, pytest.raises(TransientModelError):
        asyncio.run(_pieces(model(server.base_url, timeout=1)))
