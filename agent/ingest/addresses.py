"""Web pages as sources, by their addresses: fetched one after the other, only where the user allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from agent.domain import Document
from agent.errors import InputError
from agent.ingest.sources import Rejected

Fetch = Callable[[str], Awaitable[Document]]


def is_address(given: str) -> bool:
    """Whether this names a page rather than a file."""
    return given.lower().startswith(("http://", "https://"))


def fetch_all(addresses: Sequence[str], fetch: Fetch | None) -> Iterator[Document | Rejected]:
    """The pages, and which of them cannot be used; without `fetch` all are refused."""
    for address in addresses:
        try:
            yield asyncio.run(_page(address, fetch))
        except InputError as error:
            yield Rejected(path=Path(address), reason=str(error))


async def _page(address: str, fetch: Fetch | None) -> Document:
    if fetch is None:
        raise InputError(f"{address!r} is an address: give --allow-url to open web pages, or save the page")
    return await fetch(address)
