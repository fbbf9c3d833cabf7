"""What a language model is to the stages: one call with a schema in, raw text and token counts out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from functools import cached_property
from typing import Any, Literal, Protocol, Self, runtime_checkable

from agent.domain import Data, Usage

Role = Literal["system", "user", "assistant"]


class Message(Data):
    """One turn of a conversation."""

    role: Role
    content: str


class ChatRequest(Data):
    """One call: everything that can change the reply, so that its hash addresses the reply."""

    messages: tuple[Message, ...]
    schema_name: str
    json_schema: dict[str, Any]
    max_tokens: int
    wants_logprobs: bool = False

    def sha256(self, model_id: str) -> str:
        """Address of the reply: hash over the model id and this request."""
        return hashlib.sha256(f"[{json.dumps(model_id)}, {self.canonical}]".encode()).hexdigest()

    @cached_property
    def canonical(self) -> str:
        """This request as JSON: ASCII, keys in order, so that the same is always written the same."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, without what was computed of the fields before they were changed."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("canonical", None)
        return copied


class TokenLogprobs(Data):
    """One generated token and the log-probabilities of its likeliest alternatives (itself among them)."""

    token: str
    alternatives: dict[str, float]


class ChatReply(Data):
    """What came back, unparsed."""

    text: str
    finish_reason: str
    """`stop`, `length`, `content_filter`, `refusal` or what the server said."""
    usage: Usage
    logprobs: tuple[TokenLogprobs, ...] = ()
    """Empty when the server gives none."""


class ChatModel(Protocol):
    """A language model that answers one request with one reply."""

    @property
    def id(self) -> str:
        """Name and, where known, content hash of the model: the same id gives the same replies."""
        ...

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer the request.

        Raises:
            TransientModelError: may pass when tried again.
            ModelError: will not pass.
            ConfigError: key, address or model name is wrong.
        """
        ...


class ClosableModel(ChatModel, Protocol):
    """A chat model that holds connections or a process until it is closed."""

    async def aclose(self) -> None:
        """Let go of them, in the event loop they were used in."""
        ...


class StreamingModel(ClosableModel, Protocol):
    """A chat model whose reply can be read while it is being written."""

    def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """Pieces of the text as they come, and last the whole reply; raises as `complete` does."""
        ...


@runtime_checkable
class StartableModel(Protocol):
    """A chat model that can be made ready ahead of its first call."""

    async def start(self) -> None:
        """Make it ready.

        Raises:
            ConfigError: it does not start.
        """
        ...


class CallStore(Protocol):
    """Where finished calls are kept, by request hash."""

    def find_call(self, sha256: str) -> ChatReply | None:
        """The kept reply, or None."""
        ...

    def save_call(self, sha256: str, request: ChatRequest, reply: ChatReply) -> None:
        """Keep a reply for good."""
        ...

    def drop_call(self, sha256: str) -> None:
        """Forget a reply, if it was kept."""
        ...


@runtime_checkable
class ForgettingModel(Protocol):
    """A chat model that keeps replies, and can be told that one was of no use."""

    def forget(self, request: ChatRequest) -> None:
        """Ask afresh the next time this request comes."""
        ...


class BatchState(Data):
    """How far a provider's batch is."""

    id: str
    status: str
    """`validating`, `in_progress`, `finalizing`, `completed`, `expired`, `cancelling`, `cancelled` or `failed`."""
    files: tuple[str, ...] = ()
    """Ids of the files of results and of errors, as far as there are any."""
    code: str = ""
    """First code of what was wrong with the whole batch."""
    reason: str = ""


class BatchDoor(Protocol):
    """A provider that takes many requests in a file and answers within a day; each method is one try.

    All raise as `ChatModel.complete` does.
    """

    @property
    def id(self) -> str:
        """Name of the model."""
        ...

    async def upload(self, lines: bytes) -> str:
        """Put a file of request lines there; gives its id."""
        ...

    async def create(self, file_id: str, mark: str) -> BatchState:
        """Begin a batch that carries a mark."""
        ...

    async def look(self, batch_id: str) -> BatchState:
        """How far a batch is."""
        ...

    async def find(self, mark: str, *, since: float) -> BatchState | None:
        """The batch that carries a mark, among those begun since then (seconds since 1970)."""
        ...

    async def read(self, file_id: str) -> bytes:
        """Content of a file of results."""
        ...

    async def aclose(self) -> None:
        """Let go of the connections."""
        ...
