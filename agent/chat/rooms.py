"""All conversations of a server: opened when asked for, kept, listed, deleted."""

from __future__ import annotations

import asyncio
import secrets
from importlib.resources import files
from pathlib import Path

from agent.chat.room import House, Room, reopened
from agent.chat.state import Controls, Phase, State
from agent.domain import Document
from agent.errors import InputError
from agent.events import Event
from agent.ingest.read import read_document
from agent.ingest.sources import find_sources

_MOST = 200
"""Conversations held open; the list on disk has no limit."""


class Rooms:
    """The conversations that are open."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._rooms: dict[str, Room] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def new(self) -> Room:
        """A conversation without an article. Its name is random, for the same article can be talked about twice."""
        if len(self._rooms) >= _MOST:
            raise InputError(f"{_MOST} conversations are open: close the desk and start it again")
        room = Room(secrets.token_hex(8), self.house, State())
        self._rooms[room.name] = room
        return room

    def get(self, name: str) -> Room:
        """The conversation with this name, opened again if need be.

        Raises:
            InputError: there is none.
        """
        if name not in self._rooms:
            self._rooms[name] = Room(name, self.house, reopened(self.house.shelves.load(name)))
        return self._rooms[name]

    async def start(self, article: Document, controls: Controls) -> Room:
        """A conversation about an article, its check begun."""
        room = self.new()
        room.set(controls)
        self._begin(room, article)
        return room

    async def article_at(self, url: str) -> Document:
        """The article at an address, when this desk may open one.

        Raises:
            InputError: it may not, or there is no article.
        """
        if self.house.fetch is None:
            shown = repr(url[:200])
            raise InputError(
                f"{shown} is an address, and this desk opens none: paste the text, or start with --allow-url"
            )
        return await self.house.fetch(url)

    async def start_seed(self) -> Room:
        """The seed article with its sources; they are taken in first where the desk's store has them not."""
        article, documents = await asyncio.to_thread(read_seed)
        room, base = self.new(), self.house.base
        held = base.documents([document.id for document in documents]) if base is not None else {}
        for document in documents:
            if document.id not in held:
                await asyncio.to_thread(room.put_source, document)
        self._begin(room, article)
        return room

    async def delete(self, name: str) -> None:
        """Delete a conversation for good.

        Raises:
            InputError: there is none.
        """
        room = self._rooms.pop(name, None)
        if room is not None:
            await room.close()
            room.save()
        self.house.shelves.delete(name)

    def wait(self, event: Event) -> None:
        """Tell every check that runs what the model is waiting for; called from another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell, event)

    def _tell(self, event: Event) -> None:
        for room in self._rooms.values():
            if room.state.phase is Phase.CHECKING:
                room.hear(event)

    def hush(self) -> None:
        """End the event streams."""
        for room in self._rooms.values():
            room.stream.close()

    async def close(self) -> None:
        """Keep and close all."""
        for room in self._rooms.values():
            await room.close()
        self.house.shelves.close()

    def _begin(self, room: Room, article: Document) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            room.begin(article)
        except InputError:
            del self._rooms[room.name]
            raise


def read_seed() -> tuple[Document, tuple[Document, ...]]:
    """The article that comes with the package, and its sources."""
    article = files("seeds").joinpath("deir-ez-zor").joinpath("article.txt")  # a folder without __init__: step by step
    folder = Path(str(article)).parent
    documents, _ = find_sources([folder / "sources.jsonl"])
    return read_document(folder / "article.txt"), documents
