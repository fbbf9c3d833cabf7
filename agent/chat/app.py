"""The HTTP side of the chat: thin; every route calls one function of a room. The only module that knows FastAPI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from agent.chat import session as say
from agent.chat.answers import short
from agent.chat.cards import about, claim_card, snapshot, source_page
from agent.chat.lookup import search_store
from agent.chat.quota import QuotaError
from agent.chat.room import Room
from agent.chat.rooms import Rooms
from agent.chat.state import Controls, as_result
from agent.domain import Document, SourceKind
from agent.errors import AgentError, InputError
from agent.ingest.read import partial_date, read_document
from agent.report.contract import dumps
from agent.report.html import to_html
from agent.report.markdown import clean_text, to_markdown
from agent.report.tables import to_csv

_STATIC = Path(__file__).parent / "static"
_FORMS = {
    "html": ("text/html", to_html),
    "md": ("text/markdown", to_markdown),
    "json": ("application/json", dumps),
    "csv": ("text/csv", to_csv),
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewArticle(_Body):
    """An article to check: a text, the address of one where this desk opens addresses, or the seed article."""

    text: str = Field(default="", max_length=2_000_000)
    url: str = Field(default="", max_length=2_000)
    seed: bool = False
    controls: Controls = Controls()


class NewMessage(_Body):
    """Something the user says, with the claim whose card is open."""

    text: str = Field(min_length=1, max_length=say.LONGEST_MESSAGE)
    claim: str | None = None


class NewCheck(_Body):
    """Claims to check again; none: all. `go_on` takes up a check that was stopped."""

    claims: tuple[str, ...] = ()
    go_on: bool = False


class NewSource(_Body):
    """A source as text."""

    text: str = Field(min_length=1, max_length=2_000_000)
    title: str = Field(default="", max_length=500)
    publisher: str = Field(default="", max_length=200)
    published: str = Field(default="", max_length=10)
    kind: SourceKind = SourceKind.OTHER


class Mended(_Body):
    """What is known better about a source."""

    publisher: str = Field(default="", max_length=200)
    published: str = Field(default="", max_length=10)
    kind: SourceKind = SourceKind.OTHER


def make_app(rooms: Rooms) -> FastAPI:
    """The application over these rooms."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await rooms.close()

    app = FastAPI(
        title="factdesk", description="Verify an article, follow it, ask about it.", lifespan=life,
        docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.add_exception_handler(AgentError, _explain)
    _conversations(app, rooms)
    _talk(app, rooms)
    _sources(app, rooms)
    _page(app, rooms)
    return app


async def _explain(_: Request, error: Exception) -> JSONResponse:
    said = {"error": clean_text(str(error))}
    if isinstance(error, QuotaError):
        return JSONResponse(said, status_code=429, headers={"Retry-After": str(error.retry_after)})
    return JSONResponse(said, status_code=404 if "no conversation" in str(error) else 400)


def _page(app: FastAPI, rooms: Rooms) -> None:
    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> FileResponse:
        return FileResponse(_STATIC / "icon.svg", media_type="image/svg+xml")

    @app.get("/api/desk", summary="What this desk is and has")
    async def desk() -> dict[str, Any]:
        base = rooms.house.base
        count = 0 if base is None else len(base.list())
        return {
            "profile": rooms.house.settings.profile,
            "model": rooms.house.model.id,
            "sources": count,
            "opens_addresses": rooms.house.fetch is not None,
        }

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")


def _conversations(app: FastAPI, rooms: Rooms) -> None:  # noqa: C901 (routes, one after the other)
    @app.get("/api/conversations", summary="List or search conversations")
    async def listing(search: str = "") -> list[dict[str, str]]:
        return [row.model_dump() for row in rooms.house.shelves.list(search)]

    @app.post("/api/conversations", status_code=201, summary="Verify an article")
    async def begin(body: NewArticle) -> dict[str, str]:
        rooms.house.checks.take()
        if body.seed:
            return {"id": (await rooms.start_seed()).name}
        return {"id": (await rooms.start(await _article(rooms, body), body.controls)).name}

    @app.post("/api/conversations/empty", status_code=201, summary="A conversation without an article, for its sources")
    async def empty() -> dict[str, str]:
        room = rooms.new()
        room.save()
        return {"id": room.name}

    @app.post("/api/conversations/{name}/article", status_code=202, summary="Verify an article in this conversation")
    async def article(name: str, body: NewArticle) -> dict[str, str]:
        room = rooms.get(name)
        rooms.house.checks.take()
        room.begin(await _article(rooms, body))
        return {"id": name}

    @app.post("/api/conversations/upload", status_code=201, summary="Verify a file: txt, md, html, pdf, docx")
    async def upload(request: Request, name: Annotated[str, Query(max_length=300)]) -> dict[str, str]:
        rooms.house.checks.take()
        article = await asyncio.to_thread(read_document, None, data=await request.body(), name=_file_name(name))
        return {"id": (await rooms.start(article, Controls())).name}

    @app.get("/api/conversations/{name}", summary="A conversation as it is now")
    async def show(name: str) -> dict[str, Any]:
        room = rooms.get(name)
        return {"id": name, "last": room.stream.last} | snapshot(room.state)

    @app.delete("/api/conversations/{name}", status_code=204, summary="Delete a conversation, its run and its sources")
    async def delete(name: str) -> None:
        await rooms.delete(name)


async def _article(rooms: Rooms, body: NewArticle) -> Document:
    if body.url:
        return await rooms.article_at(body.url)
    return await _text(body.text, "article")


async def _text(text: str, name: str) -> Document:
    return await asyncio.to_thread(read_document, None, data=text.encode("utf-8", "replace"), name=name)


def _talk(app: FastAPI, rooms: Rooms) -> None:  # noqa: C901 (routes, one after the other)
    @app.get("/api/conversations/{name}/events", summary="What happens, as server-sent events")
    async def events(
        name: str, after: str = "", last_event_id: Annotated[str | None, Header()] = None
    ) -> StreamingResponse:
        body = rooms.get(name).stream.read(last_event_id or after)
        return StreamingResponse(body, media_type="text/event-stream")

    @app.post("/api/conversations/{name}/messages", status_code=202, summary="Say something")
    async def message(name: str, body: NewMessage) -> None:
        room = rooms.get(name)
        rooms.house.messages.take()
        room.hear(say.Said(text=body.text, claim_id=body.claim))

    @app.post("/api/conversations/{name}/cancel", status_code=202, summary="Stop the check")
    async def cancel(name: str) -> None:
        await rooms.get(name).cancel()

    @app.post("/api/conversations/{name}/checks", status_code=202, summary="Check claims again")
    async def check(name: str, body: NewCheck) -> None:
        room = rooms.get(name)
        rooms.house.checks.take()
        if body.go_on:
            room.go_on()
        else:
            room.check_again(body.claims)

    @app.get("/api/conversations/{name}/claims/{claim}", summary="A claim's card")
    async def card(name: str, claim: str) -> dict[str, Any]:
        return claim_card(rooms.get(name).state, claim)

    @app.put("/api/conversations/{name}/controls", status_code=202, summary="As-of date, kinds and sources left out")
    async def controls(name: str, body: Controls) -> None:
        rooms.get(name).set(body)

    @app.get("/api/conversations/{name}/export.{form}", summary="The stored run as a report")
    async def export(name: str, form: Literal["html", "md", "json", "csv"]) -> Response:
        result = as_result(rooms.get(name).state)
        if result is None:
            raise InputError("there is no run to export yet: verify an article first")
        kind, make = _FORMS[form]
        head = {"Content-Disposition": f'attachment; filename="factdesk-{name}.{form}"'}
        return Response(make(result).encode("utf-8", "replace"), media_type=kind, headers=head)


def _sources(app: FastAPI, rooms: Rooms) -> None:
    @app.get("/api/conversations/{name}/sources", summary="List or search what this conversation can see")
    async def listing(name: str, search: Annotated[str, Query(max_length=500)] = "") -> list[dict[str, Any]]:
        room = rooms.get(name)
        if search.strip():
            sources, hits = search_store(search, room.shelf(), room.state.controls)
            documents = sources.documents({hit.passage.document_id for hit in hits})
            found = [(documents[hit.passage.document_id], hit.passage.text) for hit in hits]
            return [about(document) | {"passage": clean_text(text)} for document, text in found]
        return [about(document) | {"is_own": is_own, "is_hidden": is_out} for document, is_own, is_out in _all(room)]

    @app.post("/api/conversations/{name}/sources", status_code=201, summary="Add a source as text")
    async def add(name: str, body: NewSource) -> dict[str, str]:
        document = await _text(body.text, "source")
        return _put(rooms.get(name), document, title=body.title or document.title, facts=body)

    @app.post("/api/conversations/{name}/sources/upload", status_code=201, summary="Add a source as a file")
    async def upload(name: str, request: Request, file: Annotated[str, Query(max_length=300)]) -> dict[str, str]:
        room = rooms.get(name)
        data, named = await request.body(), _file_name(file)
        document = await asyncio.to_thread(read_document, None, data=data, name=named, untitled=Path(file).stem)
        room.put_source(document)
        room.hear(_added(document))
        return {"id": document.id}

    @app.get("/api/conversations/{name}/sources/{key}", summary="A source, cut at a quote")
    async def show(name: str, key: str, start: int = 0, end: int = 0) -> dict[str, Any]:
        return source_page(_document(rooms.get(name), key), start, end)

    @app.patch("/api/conversations/{name}/sources/{key}", status_code=202, summary="Mend date, publisher and kind")
    async def mend(name: str, key: str, body: Mended) -> dict[str, str]:
        room = rooms.get(name)
        document = _document(room, key)
        return _put(room, document, title=document.title, facts=body)

    @app.delete("/api/conversations/{name}/sources/{key}", status_code=204, summary="Remove a source or leave it out")
    async def drop(name: str, key: str) -> None:
        room = rooms.get(name)
        _document(room, key)
        room.drop_source(key)
        room.hear(say.Told(note="Source left out. It holds for the next check.", offers=("Check all claims again",)))


def _put(room: Room, document: Document, *, title: str, facts: NewSource | Mended) -> dict[str, str]:
    published = partial_date(facts.published) if facts.published else None
    if facts.published and published is None:
        raise InputError(f"{facts.published!r} is no date: write 2016, 2016-09 or 2016-09-17")
    known = {"title": title, "publisher": facts.publisher or None, "published": published, "kind": facts.kind}
    fresh = document.model_copy(update=known)
    room.put_source(fresh)
    room.hear(_added(fresh))
    return {"id": fresh.id}


def _added(document: Document) -> say.Told:
    note = f"Source kept: “{short(document.title)}”. It holds for the next check."
    return say.Told(note=note, offers=("Check all claims again",))


def _all(room: Room) -> list[tuple[Document, bool, bool]]:
    """Every source in sight: the conversation's own first."""
    own, base = room.own_store(), room.base
    mine = [document for document, _ in own.list()] if own is not None else []
    ids = {document.id for document in mine}
    others = [document for document in base if document.id not in ids]
    hidden = set(room.state.controls.hidden)
    return [(document, True, document.id in hidden) for document in mine] + [
        (document, False, document.id in hidden) for document in others
    ]


def _document(room: Room, key: str) -> Document:
    found = room.state.documents.get(key) or room.shelf().documents((key,)).get(key)
    if found is None:
        raise InputError(f"no source {key!r} in this conversation")
    return found


def _file_name(name: str) -> str:
    """The last part of a name: it is only shown, and says what format to expect."""
    return Path(name.replace("\\", "/")).name or "upload"
