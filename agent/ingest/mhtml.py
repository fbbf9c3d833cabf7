"""Web pages as browsers save them in one file (MHTML): the page itself and the address it was found at."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

from agent.errors import InputError


def page_of(data: bytes, name: str) -> tuple[bytes, str | None]:
    """The HTML of the saved page and its address, if the file tells it.

    Raises:
        InputError: there is no page in it.
    """
    saved = message_from_bytes(data, policy=default)
    page = next((part for part in saved.walk() if part.get_content_type() == "text/html"), None)
    content = None if page is None else page.get_payload(decode=True)
    if page is None or not isinstance(content, bytes) or not content.strip():
        raise InputError(f"{name!r} holds no saved page: save it again as HTML or PDF")
    address = saved.get("Snapshot-Content-Location") or page.get("Content-Location")
    return content, None if address is None else str(address)
