"""A scripted model for tests and examples."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from agent.domain import Usage
from agent.errors import ModelError
from agent.llm.base import ChatReply, ChatRequest

Script = Sequence[str | ChatReply | Exception] | Callable[[ChatRequest], str | ChatReply | Exception]


class ScriptedModel:
    """Gives prepared replies, in order or by rule, records the requests, and raises when the script runs out."""

    def __init__(self, script: Script, *, model_id: str = "scripted") -> None:
        self._script = script
        self._id = model_id
        self.requests: list[ChatRequest] = []

    @property
    def id(self) -> str:
        """Name of the script."""
        return self._id

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The next prepared reply."""
        self.requests.append(request)
        found = self._next(request)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, ChatReply):
            return found
        usage = Usage(model_calls=1, prompt_tokens=10, completion_tokens=5)
        return ChatReply(text=found, finish_reason="stop", usage=usage)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """The next prepared reply, a few characters at a time."""
        reply = await self.complete(request)
        for start in range(0, len(reply.text), 7):
            yield reply.text[start : start + 7]
        yield reply

    async def aclose(self) -> None:
        """Holds nothing."""

    def _next(self, request: ChatRequest) -> str | ChatReply | Exception:
        if callable(self._script):
            return self._script(request)
        if len(self.requests) > len(self._script):
            raise ModelError(f"the script of {len(self._script)} replies has run out at a {request.schema_name} call")
        return self._script[len(self.requests) - 1]
