"""`factdesk chat`: the page, or the same conversation in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import options as opt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agent.chat.room import KeepCase
    from agent.domain import Document


def chat(
    article: Annotated[
        str | None, typer.Argument(help="With --terminal: file to check first; the seed article if not given.")
    ] = None,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0 takes any free one.")] = 8765,
    no_browser: Annotated[bool, typer.Option("--no-browser", metavar="", help="Do not open the page.")] = False,
    terminal: Annotated[bool, typer.Option("--terminal", metavar="", help="Talk here, without a page.")] = False,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Others need --token.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option("--token", metavar="TEXT", envvar="FACTDESK_TOKEN", help="Needed beyond loopback.")
    ] = None,
    allow_url: Annotated[
        bool, typer.Option("--allow-url", metavar="", help="Let addresses of web pages be opened as articles.")
    ] = False,
    store: opt.StoreOption = None,
    profile: opt.ProfileOption = None,
    run_dir: opt.RunDirOption = None,
) -> None:
    """Watch an article being checked, then ask about it: a local page that talks to nobody else."""
    import asyncio

    from agent.settings import load_settings

    settings = load_settings({"store_dir": store, "profile": profile, "run_dir": run_dir})
    from agent.chat.serve import listen, make_server, open_rooms, serve

    keep = _keep_case(settings.run_dir / "corrections")
    fetch = _fetch() if allow_url else None
    if terminal:
        from agent.cli.chat_terminal import talk

        with open_rooms(settings, keep, fetch=fetch) as rooms:
            asyncio.run(talk(rooms, article))
        return
    with listen(host, port, token) as sock, open_rooms(settings, keep, fetch=fetch) as rooms:
        server, url = make_server(rooms, sock, host=host, token=token)
        _ready(url, show=not no_browser)
        asyncio.run(serve(server, sock, rooms))


def _fetch() -> Callable[[str], Awaitable[Document]]:
    from agent.ingest.fetch import fetch_document

    return fetch_document


def _ready(url: str, *, show: bool) -> None:
    print(f"factdesk chat: {url}  (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if show:
        import webbrowser

        webbrowser.open(url)


def _keep_case(folder: Path) -> KeepCase:
    """Corrections go where `factdesk eval add-case` puts them."""
    from agent.chat.session import Keep
    from agent.domain import Verification

    def keep(verification: Verification, documents: dict[str, Document], want: Keep) -> None:
        from evals.corrections import add_case

        add_case(folder, verification, documents, label=want.correction.label, why=want.correction.why, who="chat")

    return keep
