"""Replies that are read while they are written, kept, counted and held to the limits of all other calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from agent.domain import Usage
from agent.llm.base import CallStore, ChatReply, ChatRequest, StreamingModel
from agent.llm.cache import CachedModel
from agent.llm.retry import RetryingModel


class StreamedModel:
    """A chat model whose replies can also be read in pieces; both ways look into the same kept calls.

    Args:
        model: gives the pieces.
        calls: the same model with its limits: a streamed call takes a place among its calls, but is tried once, for
            what was read cannot be taken back.
        store: keeps finished replies.
    """

    def __init__(self, model: StreamingModel, calls: RetryingModel, store: CallStore) -> None:
        self._model = model
        self._calls = calls
        self._store = store
        self._cached = CachedModel(calls, store)
        self._paid = Usage()

    @property
    def id(self) -> str:
        """Id of the model behind."""
        return self._model.id

    @property
    def paid(self) -> Usage:
        """What was really paid so far."""
        return self._cached.paid + self._paid

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The kept reply, or a new one, which is then kept."""
        return await self._cached.complete(request)

    def forget(self, request: ChatRequest) -> None:
        """Ask afresh the next time: the kept reply could not be used."""
        self._cached.forget(request)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str]:
        """The kept reply at once, or a new one in pieces, which is then kept if it came to its end."""
        sha = request.sha256(self.id)
        if (kept := self._store.find_call(sha)) is not None:
            yield kept.text
            return
        cost = Usage(model_calls=1)  # what a call cost that was broken off is not known
        try:
            async with self._calls.turn(request):
                async for piece in self._model.stream(request):
                    if isinstance(piece, str):
                        yield piece
                        continue
                    cost = piece.usage
                    if piece.finish_reason == "stop":
                        self._store.save_call(sha, request, piece)
        finally:
            self._paid += cost
