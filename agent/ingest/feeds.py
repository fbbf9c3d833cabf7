"""RSS and Atom files as lists of documents: what an entry says of itself, with its text out of its HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from agent.errors import InputError

_ENTRIES = "{*}item", "{*}entry"
_ROOTS = frozenset(("rss", "RDF", "feed"))
_TEXTS = "{*}encoded", "{*}content", "{*}description", "{*}summary"
"""Where an entry's text may be, the fullest first."""
_DAYS = "{*}pubDate", "{*}published", "{*}date", "{*}issued", "{*}updated"
_BLOCKS = "address", "blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "p", "pre", "tr"
_XML_HEAD = re.compile(r"^\s*<\?xml[^>]*>")


def read_feed(data: bytes, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The entries of a feed, each with its line in the file and the fields it gives.

    Raises:
        InputError: no XML, or no feed.
    """
    root = _root(data, name)
    feed = root.find("{*}channel") if root.find("{*}channel") is not None else root
    publisher = _line(feed, "{*}title")
    for entry in root.iter(*_ENTRIES):
        yield (
            entry.sourceline or 0,
            {
                "title": _line(entry, "{*}title"),
                "url": _address(entry),
                "publisher": publisher,
                "published": _day(entry),
                "text": _text(entry),
            },
        )


def _root(data: bytes, name: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(f"{name!r} is no readable XML ({error}): save the feed again") from error
    if etree.QName(root).localname not in _ROOTS:
        raise InputError(f"{name!r} is XML but no RSS or Atom feed: give a feed, or save the text as HTML")
    return root


def _line(parent: Any, name: str) -> str:
    found = parent.find(name)
    return "" if found is None else " ".join("".join(found.itertext()).split())


def _address(entry: Any) -> str:
    """Of RSS the text of the link, of Atom the target of the one that leads to the entry itself."""
    for link in entry.findall("{*}link"):
        if link.get("rel", "alternate") == "alternate":
            return str(link.get("href") or link.text or "").strip()
    return ""


def _day(entry: Any) -> str:
    """As it is given when it is ISO 8601; of the form of mails (RSS) the day."""
    given = next((text for name in _DAYS if (text := _line(entry, name))), "")
    try:
        return given if given[:4].isdigit() else parsedate_to_datetime(given).date().isoformat()
    except ValueError:
        return given


def _text(entry: Any) -> str:
    """The first text that says something, without its HTML; empty when there is none."""
    for place in _TEXTS:
        for found in entry.findall(place):
            if text := _plain(_markup(found)):
                return text
    return ""


def _plain(markup: str) -> str:
    """Text of a piece of HTML, a line for each block; text without any stays as it is."""
    if "<" not in markup:
        return markup.strip()
    from lxml.html import fragment_fromstring

    root = fragment_fromstring(_XML_HEAD.sub("", markup), create_parent="div")
    for hidden in list(root.iter("script", "style")):
        hidden.drop_tree()
    for block in root.iter(*_BLOCKS):
        block.text = f"\n{block.text or ''}"
        block.tail = f"\n{block.tail or ''}"
    lines = (" ".join(line.split()) for line in root.text_content().splitlines())
    return "\n".join(line for line in lines if line)


def _markup(found: Any) -> str:
    """The text of an element; of one with elements inside (Atom's XHTML) these as they are written."""
    if len(found) == 0:
        return found.text or ""
    from lxml import etree

    return "".join(etree.tostring(child, encoding="unicode", with_tail=False) for child in found)
