"""Puts a house together from settings and serves it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from agent.chat.app import make_app
from agent.chat.keep import Shelves
from agent.chat.room import BaseStore, House, KeepCase
from agent.chat.rooms import Rooms
from agent.chat.security import Guard, require_token
from agent.desk import embedder_of, language_model_of, open_small_models, patient
from agent.domain import Document
from agent.errors import AgentError, ConfigError, StoreError
from agent.events import Event
from agent.llm.base import StartableModel, StreamingModel
from agent.settings import Settings
from agent.small.base import Embedder
from agent.store.hybrid import Store

_CHECKS_AT_ONCE = 2


@contextmanager
def open_rooms(
    settings: Settings,
    keep_case: KeepCase,
    *,
    embedder: Embedder | None = None,
    model: StreamingModel | None = None,
    fetch: Callable[[str], Awaitable[Document]] | None = None,
) -> Iterator[Rooms]:
    """The rooms of a desk; embedder and model stand in for those of the settings, `fetch` opens addresses."""
    chosen = embedder or embedder_of(settings)
    rooms: list[Rooms] = []
    with _base(settings, chosen) as base:

        def wait(event: Event) -> None:
            rooms[0].wait(event)

        inner = model or language_model_of(settings, wait)
        house = House(
            settings=settings,
            embedder=chosen,
            base=base,
            model=inner,
            calls=patient(inner, settings, wait),
            shelves=Shelves(settings.run_dir / "chat"),
            keep_case=keep_case,
            slots=asyncio.Semaphore(_CHECKS_AT_ONCE),
            fetch=fetch,
        )
        rooms.append(Rooms(house))
        yield rooms[0]


@contextmanager
def _base(settings: Settings, embedder: Embedder) -> Iterator[BaseStore | None]:
    """The desk's store, if there is one with something in it."""
    if not (settings.store_dir / "record.sqlite").exists():
        yield None
        return
    try:
        store = Store.open(settings.store_dir, embedder, chroma_url=settings.chroma_url)
    except StoreError as error:
        if "is empty" not in str(error):
            raise
        yield None
        return
    with store:
        yield store


def listen(host: str, port: int, token: str | None) -> socket.socket:
    """A socket to serve on; port 0 takes any free one.

    Raises:
        ConfigError: the port is taken, the address is not of this machine, or others could reach it without a token.
    """
    require_token(host, token)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except (OSError, OverflowError) as error:
        found.close()
        raise ConfigError(f"cannot serve on {host}:{port} ({error}): choose another with --port") from error
    return found


class _Server(uvicorn.Server):
    """Ends the event streams first: an open page must not hold the server up."""

    def __init__(self, config: uvicorn.Config, rooms: Rooms) -> None:
        super().__init__(config)
        self._rooms = rooms

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the pages go, then stop."""
        self._rooms.hush()
        await super().shutdown(sockets)


def make_server(
    rooms: Rooms, sock: socket.socket, *, host: str = "127.0.0.1", token: str | None = None
) -> tuple[uvicorn.Server, str]:
    """The server for a socket, and the address of its page."""
    port = sock.getsockname()[1]
    guarded = Guard(make_app(rooms), port=port, host=host, token=token)
    config = uvicorn.Config(
        guarded, log_config=None, access_log=False, timeout_graceful_shutdown=1, server_header=False, ws="none"
    )
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 (compared, not bound)
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/" + (f"?token={token}" if token else "")
    return _Server(config, rooms), url


async def serve(server: uvicorn.Server, sock: socket.socket, rooms: Rooms) -> None:
    """Serve until stopped, then let the model go. Models are made ready while the user still reads the page."""
    ready = asyncio.create_task(_make_ready(rooms.house))
    try:
        await server.serve(sockets=[sock])
    finally:
        ready.cancel()
        await rooms.house.model.aclose()


async def _make_ready(house: House) -> None:
    """Start what a check needs; if something cannot be started, the check says so to whom it concerns."""
    with suppress(AgentError):
        if isinstance(house.model, StartableModel):
            await house.model.start()
        await asyncio.to_thread(open_small_models, house.settings, house.embedder)
