"""Date and publisher of a web page, where its markup says them for machines; what its readers see is no such word."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_DATES = frozenset((
    "article:published_time", "citation_publication_date", "datepublished", "dc.date", "dc.date.issued", "dcterms.date",
    "dcterms.issued", "og:published_time", "parsely-pub-date", "pubdate", "publication_date", "publish-date",
    "publish_date", "publishdate", "sailthru.date",
))  # fmt: skip
_PUBLISHERS = ("og:site_name", "dc.publisher", "dcterms.publisher", "citation_publisher", "publisher")
"""Names of meta tags, in small letters."""
_PUBLISHED = frozenset(("dt-published", "entry-date", "published"))
"""Classes of a `<time>` (microformats, WordPress) that is the date of publication, not one in the story."""
_ISO = re.compile(r"(\d{4}(?:-\d\d(?:-\d\d)?)?)(?:[T ]\d\d:\d\d.*)?", re.DOTALL)

_Node = Mapping[str, Any]


def date_and_publisher(page: str) -> tuple[str | None, str | None]:
    """The date of publication (ISO 8601) and the publisher, as far as meta tags, JSON-LD or a marked `<time>` say.

    Where dates differ it is the latest: who asks what was known on a day must not see too much.
    """
    import trafilatura

    tree = trafilatura.load_html(page)
    if tree is None:
        return None, None
    tags = list(_meta(tree))
    scripts = tree.xpath("//script[starts-with(@type, 'application/ld+json')]")
    nodes = [node for script in scripts for node in _nodes(script.text)]
    sources = (
        [content for name, content in tags if name in _DATES],
        [str(node.get("datePublished", "")) for node in nodes],
        [time.get("datetime", "") for time in tree.iter("time") if _is_publication(time)],
    )
    dates = (
        max((found[1] for value in values if (found := _ISO.fullmatch(value.strip()))), default=None)
        for values in sources
    )
    named = [content for wanted in _PUBLISHERS for name, content in tags if name == wanted]
    publishers = (" ".join(html.unescape(name).split())[:300] for name in (*named, *_publishers(nodes)))
    return next(filter(None, dates), None), next(filter(None, publishers), None)


def _meta(tree: Any) -> Iterator[tuple[str, str]]:
    for tag in tree.iter("meta"):
        for attribute in ("property", "name", "itemprop"):
            yield (tag.get(attribute) or "").strip().lower(), tag.get("content") or ""


def _is_publication(time: Any) -> bool:
    marks = {*(time.get("class") or "").lower().split(), *(time.get("itemprop") or "").split()}
    return time.get("pubdate") is not None or "datePublished" in marks or bool(marks & _PUBLISHED)


def _nodes(script: str | None) -> Iterator[_Node]:
    """What a JSON-LD script describes itself: pages listed inside, such as related ones or comments, do not count."""
    try:
        found = json.loads(script or "")
    except (ValueError, RecursionError):
        return
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            graph = one.get("@graph")
            yield from (node for node in (one, *(graph if isinstance(graph, list) else ())) if isinstance(node, dict))


def _publishers(nodes: list[_Node]) -> Iterator[str]:
    """Names of publishers, also of those that are described in a node of their own."""
    by_id = {str(node["@id"]): node for node in nodes if "@id" in node}
    for node in nodes:
        given = node.get("publisher")
        for one in given if isinstance(given, list) else [given]:
            told = by_id.get(str(one.get("@id")), one) if isinstance(one, dict) and "name" not in one else one
            name = told.get("name") if isinstance(told, dict) else told
            if isinstance(name, str):
                yield name
