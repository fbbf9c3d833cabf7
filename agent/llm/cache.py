"""Finished calls are kept by the hash of their request, so that none is paid twice and a run can be replayed."""

from __future__ import annotations

import asyncio

from agent.domain import Usage
from agent.errors import ModelError
from agent.llm.base import CallStore, ChatModel, ChatReply, ChatRequest


class KeepingModel:
    """A chat model whose call is over when its reply is on the disk, which other calls do not wait for.

    Behind a limit on calls in flight, no more replies than that can be lost by a kill.
    """

    def __init__(self, model: ChatModel, store: CallStore) -> None:
        self._model = model
        self._store = store

    @property
    def id(self) -> str:
        """Id of the model behind."""
        return self._model.id

    async def complete(self, request: ChatRequest) -> ChatReply:
        """A new reply, kept."""
        reply = await self._model.complete(request)
        save = asyncio.to_thread(self._store.save_call, request.sha256(self.id), request, reply)
        saving = asyncio.ensure_future(save)
        try:
            await asyncio.shield(saving)
        except asyncio.CancelledError:
            await saving  # what was paid is kept
            raise
        return reply


class CachedModel:
    """A chat model that looks a request up before it asks, and adds up what was really paid.

    Args:
        model: is asked.
        store: of replies.
        saves: whether new replies have to be kept; a `KeepingModel` has done so.
    """

    def __init__(self, model: ChatModel, store: CallStore, *, saves: bool = True) -> None:
        self._model = model
        self._store = store
        self._saves = saves
        self._in_flight: dict[str, asyncio.Future[ChatReply]] = {}
        self.paid = Usage()

    @property
    def id(self) -> str:
        """Id of the model behind."""
        return self._model.id

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The kept reply, or a new one, which is then kept. Equal requests in flight share one call."""
        sha = request.sha256(self.id)
        if (kept := self._store.find_call(sha)) is not None:
            return kept
        if (running := self._in_flight.get(sha)) is not None:
            return await asyncio.shield(running)
        task = asyncio.ensure_future(self._ask(sha, request))
        self._in_flight[sha] = task
        try:
            return await task
        finally:
            del self._in_flight[sha]

    def forget(self, request: ChatRequest) -> None:
        """Ask afresh the next time: the kept reply could not be used."""
        self._store.drop_call(request.sha256(self.id))

    async def _ask(self, sha: str, request: ChatRequest) -> ChatReply:
        reply = await self._model.complete(request)
        if self._saves:
            self._store.save_call(sha, request, reply)
        self.paid += reply.usage
        return reply


class ReplayModel:
    """A chat model that knows only kept replies: it never asks anybody."""

    def __init__(self, model_id: str, store: CallStore) -> None:
        self._store = store
        self._id = model_id

    @property
    def id(self) -> str:
        """Id of the model whose replies were kept."""
        return self._id

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The kept reply.

        Raises:
            ModelError: none was kept: the call failed at the time, or code or prompts have changed since.
        """
        kept = self._store.find_call(request.sha256(self._id))
        if kept is None:
            raise ModelError(f"no kept reply for this {request.schema_name} call of model {self._id!r}: run it afresh")
        return kept
