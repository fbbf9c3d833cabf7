"""The embedded language model as a chat model: its server is started at the first call, and again if it dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from agent.errors import TransientModelError
from agent.llm.base import ChatReply, ChatRequest, StreamingModel
from agent.llm.local import LocalServer
from agent.llm.opening import Turns


class EmbeddedModel:
    """A chat model served by a child process of this machine.

    Args:
        model_id: name and hash of the model file.
        start: starts the server or joins a running one; blocking.
        connect: a chat model for a running server.
    """

    def __init__(
        self, *, model_id: str, start: Callable[[], LocalServer], connect: Callable[[LocalServer], StreamingModel]
    ) -> None:
        self._id = model_id
        self._start = start
        self._connect = connect
        self._lock = asyncio.Lock()
        self._server: LocalServer | None = None
        self._model: StreamingModel | None = None

    @property
    def id(self) -> str:
        """Name and hash of the model file."""
        return self._id

    async def start(self) -> None:
        """Start the server ahead of the first call, or join the running one."""
        await self._running()

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer; starts the server when there is none."""
        model = await self._running()
        try:
            return await model.complete(request)
        except TransientModelError:
            await self._forget_dead(model)
            raise

    async def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        """Pieces of the answer as they come; starts the server when there is none."""
        model = await self._running()
        async for piece in model.stream(request):
            yield piece

    async def aclose(self) -> None:
        """Let go of the server; it ends when nobody uses it any more."""
        if self._model is not None:
            await self._model.aclose()
        if self._server is not None:
            self._server.close()
        self._server = self._model = None

    async def _running(self) -> StreamingModel:
        async with self._lock:
            if self._model is None:
                self._server = await asyncio.to_thread(self._start)
                self._model = self._connect(self._server)
            return self._model

    async def _forget_dead(self, model: StreamingModel) -> None:
        """After a failed call: drop a server that no longer answers, so that the next try starts one."""
        async with self._lock:
            if model is self._model and self._server is not None and not await asyncio.to_thread(self._server.is_alive):
                await self.aclose()


def embedded_model(  # noqa: PLR0913 (all are facts of the one server)
    *,
    model_id: str,
    model_file: Path,
    folder: Path,
    slots: int,
    timeout: float,
    opening: Turns,
    on_wait: Callable[[str], None],
) -> EmbeddedModel:
    """The embedded model from its file; nothing is started yet."""
    from pydantic import SecretStr

    from agent.llm.local import start_local_server

    def start() -> LocalServer:
        return start_local_server(
            model_file,
            folder=folder,
            slots=slots,
            context=4096 * slots,
            threads=None,
            on_wait=on_wait,
            opening=opening,
        )

    def connect(server: LocalServer) -> StreamingModel:
        from agent.llm.openai import LangChainModel
        from agent.llm.openai import connect as connect_chat

        chat: LangChainModel = connect_chat(
            model_id, base_url=server.base_url, api_key=SecretStr(server.api_key), timeout=timeout
        )
        return chat

    return EmbeddedModel(model_id=model_id, start=start, connect=connect)
