"""The one adapter to chat models, through LangChain: OpenAI, any server that speaks its protocol, any other model.

The JSON schema goes out in `extra_body` and the reply comes back raw: LangChain's structured output loses the text
and the token counts of a reply that does not fit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import openai
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import add_ai_message_chunks

from agent.domain import Usage
from agent.errors import AgentError, ConfigError, TransientModelError
from agent.llm.base import BatchState, ChatReply, ChatRequest, TokenLogprobs
from agent.llm.translate import short, translated
from agent.settings import is_here, refuse_socks

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from pydantic import SecretStr

_MESSAGES = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
_TOP_LOGPROBS = 8
_MARK = "factdesk"
"""Key in the metadata of a batch under which it carries our mark."""
_T = TypeVar("_T")


class LangChainModel:
    """One try of one call through a LangChain chat model, with a deadline for the whole of it.

    Args:
        chat: the LangChain model, made with `max_retries=0`.
        model_id: what the run log and the cache know it by.
        timeout: seconds for a whole call.
        speaks_openai: the schema and log-probabilities can be asked for the OpenAI way; otherwise the schema is
            written into the last message.
        client: closed with the model; None when LangChain owns it.
    """

    def __init__(
        self,
        chat: BaseChatModel,
        *,
        model_id: str,
        timeout: float,
        speaks_openai: bool = True,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        self._chat = chat
        self._client = client
        self._id = model_id
        self._timeout = timeout
        self._speaks_openai = speaks_openai

    @property
    def id(self) -> str:
        """Name of the model."""
        return self._id

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Ask once; translate every error of the client into one of ours."""
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._invoke(request)
            return _reply_of(message)
        except AgentError:
            raise
        except TimeoutError as error:
            raise TransientModelError(f"model {self._id!r} gave no whole reply in {self._timeout:g} s") from error
        except Exception as error:  # the SDK lets json and type errors of broken bodies escape
            raise translated(error, self._id) from error

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """Pieces of the answer as they come, last the whole; translate every error of the client into one of ours."""
        messages = [_MESSAGES[turn.role](content=turn.content) for turn in request.messages]
        options = _openai_options(request) if self._speaks_openai else {}
        chunks: list[AIMessageChunk] = []
        try:
            async with asyncio.timeout(self._timeout):
                async for chunk in self._chat.bind(**options).astream(messages):
                    if isinstance(chunk, AIMessageChunk):
                        chunks.append(chunk)
                    yield str(chunk.text)
            yield _reply_of(add_ai_message_chunks(AIMessageChunk(content=""), *chunks))
        except AgentError:
            raise
        except TimeoutError as error:
            raise TransientModelError(f"model {self._id!r} gave no whole reply in {self._timeout:g} s") from error
        except Exception as error:  # as in `complete`
            raise translated(error, self._id) from error

    async def _invoke(self, request: ChatRequest) -> BaseMessage:
        if self._speaks_openai:
            # the messages go with `extra_body`: the client tries each of its own against six types, a third of our work
            return await self._chat.ainvoke([], **_openai_options(request))
        messages = [_MESSAGES[turn.role](content=turn.content) for turn in request.messages]
        wish = f"\n\nAnswer with one JSON object that fits this schema: {json.dumps(request.json_schema)}"
        messages[-1] = HumanMessage(content=request.messages[-1].content + wish)
        return await self._chat.ainvoke(messages)


def connect(name: str, *, base_url: str | None, api_key: SecretStr | None, timeout: float) -> LangChainModel:
    """The chat model of that name: an OpenAI one, one at `base_url`, or `provider:name` for another LangChain package.

    Raises:
        ConfigError: the provider's package is not installed, or it refuses its settings.
    """
    from langchain.chat_models import init_chat_model

    provider, _, rest = name.partition(":")
    is_foreign = bool(rest) and base_url is None and provider != "openai"
    options: dict[str, Any] = {"max_retries": 0, "temperature": 0}
    client: httpx2.AsyncClient | None = None
    if not is_foreign:
        options |= {"base_url": base_url, "api_key": api_key or "none", "timeout": timeout, "stream_usage": True}
        options["http_async_client"] = client = _client(base_url, timeout)
        options["use_responses_api"] = False  # some names prefer it, but our schema is one of chat completions
        provider, rest = "openai", rest if provider == "openai" and rest else name
    try:
        chat = init_chat_model(rest, model_provider=provider, **options)
    except ImportError as error:
        raise ConfigError(f"model {name!r} needs a package that is not installed: {error}") from error
    except (ValueError, openai.OpenAIError) as error:
        raise ConfigError(f"model {name!r} cannot be set up: {error}") from error
    return LangChainModel(chat, model_id=name, timeout=timeout, speaks_openai=not is_foreign, client=client)


def _client(base_url: str | None, timeout: float) -> httpx2.AsyncClient:
    """A client of this model alone: LangChain's own is shared between event loops, and breaks in the second.

    It talks through aiohttp, which reads replies in C: in a batch of many calls at once that is a sixth of our work.
    """
    refuse_socks(base_url)
    return openai.DefaultAioHttpClient(
        trust_env=not is_here(base_url or ""),
        timeout=timeout,
        limits=httpx2.Limits(max_connections=0),  # what may be in flight is counted by `RetryingModel`
        follow_redirects=False,  # the key goes to no address that nobody set
    )


class OpenAIBatches:
    """The Batch API behind a model: each method is one try of one call, with our errors.

    Args:
        name: of the model.
        client: made with `max_retries=0`.
        timeout: seconds for a call; one that moves a file or lists batches gets ten times as long.
    """

    def __init__(self, name: str, client: openai.AsyncOpenAI, *, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self.id = name

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def upload(self, lines: bytes) -> str:
        """Put a file of request lines there; gives its id."""
        sent = ("requests.jsonl", lines)
        work = self._client.files.create(file=sent, purpose="batch", timeout=10 * self._timeout)
        return (await self._told(work, times=10)).id

    async def create(self, file_id: str, mark: str) -> BatchState:
        """Begin a batch of an uploaded file; it carries our mark."""
        work = self._client.batches.create(
            input_file_id=file_id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={_MARK: mark},
        )
        return _state_of(await self._told(work))

    async def look(self, batch_id: str) -> BatchState:
        """How far a batch is."""
        return _state_of(await self._told(self._client.batches.retrieve(batch_id), what=f"batch {batch_id}"))

    async def find(self, mark: str, *, since: float) -> BatchState | None:
        """The batch that carries a mark, among those begun since then (seconds since 1970)."""

        async def listed() -> BatchState | None:
            async for batch in self._client.batches.list(limit=100):
                if batch.created_at < since:
                    return None
                if (batch.metadata or {}).get(_MARK) == mark:
                    return _state_of(batch)
            return None

        return await self._told(listed(), times=10)

    async def read(self, file_id: str) -> bytes:
        """Content of a file of results."""
        work = self._client.files.content(file_id, timeout=10 * self._timeout)
        return (await self._told(work, what=f"file {file_id}", times=10)).content

    async def _told(self, work: Awaitable[_T], *, what: str = "", times: int = 1) -> _T:
        seconds = times * self._timeout
        try:
            async with asyncio.timeout(seconds):  # the client's own does not count while it sends
                return await work
        except TimeoutError as error:
            raise TransientModelError(f"model {self.id!r}: no answer of the provider in {seconds:g} s") from error
        except openai.NotFoundError as error:
            if not what:
                raise translated(error, self.id) from error
            raise ConfigError(
                f"the provider does not know {what}, which was sent there: check FACTDESK_BASE_URL and the key; if it"
                " is gone for good, remove provider.sqlite from the batch's folder, and what it held is sent again"
            ) from error
        except Exception as error:  # as in `LangChainModel.complete`
            raise translated(error, self.id) from error


def connect_batches(name: str, *, base_url: str | None, api_key: SecretStr | None, timeout: float) -> OpenAIBatches:
    """The Batch API for the model of that name, at OpenAI or at `base_url`."""
    client = openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key.get_secret_value() if api_key else "none",
        max_retries=0,
        timeout=timeout,
        http_client=_client(base_url, timeout),
    )
    return OpenAIBatches(name.removeprefix("openai:"), client, timeout=timeout)


def request_body(name: str, request: ChatRequest) -> dict[str, Any]:
    """What `LangChainModel` sends for a request, as one line of a batch wants it."""
    options = _openai_options(request)
    return {
        "model": name,
        "temperature": 0,
        "max_completion_tokens": options.pop("max_tokens"),
        **options.pop("extra_body"),
        **options,
    }


def reply_of_body(body: Mapping[str, Any]) -> ChatReply:
    """The reply in a body as the server writes it.

    Raises:
        TransientModelError: it is none.
    """
    try:
        choice = body["choices"][0]
        refusal, usage = choice["message"].get("refusal"), body.get("usage") or {}
        return ChatReply(
            text=refusal or choice["message"].get("content") or "",
            finish_reason="refusal" if refusal else choice["finish_reason"],
            usage=Usage(
                model_calls=1,
                prompt_tokens=usage.get("prompt_tokens", 0),
                completion_tokens=usage.get("completion_tokens", 0),
                cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
            ),
            logprobs=_logprobs_of(choice.get("logprobs")),
        )
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise TransientModelError(f"the server's answer is no chat message: {short(body)!r}") from error


def _state_of(batch: openai.types.Batch) -> BatchState:
    faults = (batch.errors.data if batch.errors else None) or []
    return BatchState(
        id=batch.id,
        status=batch.status,
        files=tuple(one for one in (batch.output_file_id, batch.error_file_id) if one),
        code=short(next((fault.code for fault in faults if fault.code), "")),
        reason="; ".join(f"line {fault.line}: {short(fault.message)}" for fault in faults[:3]),
    )


def _openai_options(request: ChatRequest) -> dict[str, Any]:
    schema = {"name": request.schema_name, "strict": True, "schema": request.json_schema}
    messages = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    options: dict[str, Any] = {
        "extra_body": {"response_format": {"type": "json_schema", "json_schema": schema}, "messages": messages},
        "max_tokens": request.max_tokens,
    }
    if request.wants_logprobs:
        options |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    return options


def _reply_of(message: BaseMessage) -> ChatReply:
    if not isinstance(message, AIMessage):
        raise TransientModelError(f"the server's answer is no chat message: {short(message)!r}")
    facts = message.response_metadata
    refusal = message.additional_kwargs.get("refusal")
    finish = "refusal" if refusal else str(facts.get("finish_reason") or facts.get("stop_reason") or "")
    if not finish:
        raise TransientModelError("the reply ended without a finish reason: it may be incomplete")
    text = message.text if isinstance(message.text, str) else str(message.content)
    return ChatReply(
        text=refusal or text,
        finish_reason="stop" if finish in {"end_turn", "STOP"} else finish,
        usage=_usage_of(message),
        logprobs=_logprobs_of(facts.get("logprobs")),
    )


def _usage_of(message: AIMessage) -> Usage:
    counted = message.usage_metadata
    if counted is None:
        return Usage(model_calls=1)
    return Usage(
        model_calls=1,
        prompt_tokens=counted["input_tokens"],
        completion_tokens=counted["output_tokens"],
        cached_tokens=counted.get("input_token_details", {}).get("cache_read") or 0,
    )


def _logprobs_of(raw: Mapping[str, Any] | None) -> tuple[TokenLogprobs, ...]:
    rows = (raw or {}).get("content") or ()
    return tuple(
        TokenLogprobs(
            token=row["token"],
            alternatives={other["token"]: other["logprob"] for other in row.get("top_logprobs") or ()}
            or {row["token"]: row["logprob"]},
        )
        for row in rows
    )
