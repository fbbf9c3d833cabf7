"""Passages embedded with the title of their document and the nearest heading before them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.domain import Document, Passage
from agent.small.base import Embedder, Vectors

_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t#]*$", re.MULTILINE)
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
    above = _HEADING.findall(document.text, 0, passage.span.start)
    context = dict.fromkeys(" ".join(part.split())[:_LONGEST] for part in (document.title, *above[-1:]))
    return ". ".join([part.rstrip(".") for part in context if part] + [passage.text])
