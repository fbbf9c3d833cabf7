"""Passages embedded with the title of their document and the nearest heading before them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

from agent.domain import Document, Passage
from agent.small.base import Embedder, Vectors

_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
"""A heading as Markdown writes it: the only ones that are left in the plain text of a document."""
_LONGEST = 200


class TitledEmbedder:
    """An embedder whose passages have their context before them; a store made with it refuses passages without.

    What is cited is never touched: offsets, quotes and the text shown to a judge are those of the passage alone.
    """

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner

    @property
    def id(self) -> str:
        """Id of the embedder, and that titles were embedded."""
        return f"{self._inner.id}+title"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the embedder does: queries have no title."""
        return self._inner.embed(texts)


def passage_text(embedder: Embedder, document: Document, passage: Passage) -> str:
    """What is embedded of a passage."""
    if not isinstance(embedder, TitledEmbedder):
        return passage.text
    context = dict.fromkeys(" ".join(part.split())[:_LONGEST] for part in (document.title, _above(document, passage)))
    return ". ".join([part.rstrip(".") for part in context if part] + [passage.text])


def _above(document: Document, passage: Passage) -> str:
    """The nearest heading before a passage; empty where there is none."""
    headings = _headings(document.text)
    at = bisect_right(headings, passage.span.start, key=lambda one: one[0])
    return headings[at - 1][1] if at else ""


@lru_cache(maxsize=4)
def _headings(text: str) -> tuple[tuple[int, str], ...]:
    """Where each heading of a document ends, and its words; asked again for every passage of it."""
    return tuple((found.end(), found[1].rstrip(" \t#")) for found in _HEADING.finditer(text))
