"""Search by words alone: what a store finds without any model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from agent.domain import Document, Hit, Query
from agent.store.base import PassageStore, TimeLimit

_DEEP = 5
"""Times as many are asked for, since most may be of one document."""
_MOST_OF_A_DOCUMENT = 2


class LexicalSources:
    """The lexical index alone, at most two passages of a document: what a search has without any model."""

    def __init__(self, store: PassageStore, *, limit: int, when: TimeLimit) -> None:
        self._store = store
        self._limit = limit
        self._when = when

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """The best passages for the first query."""
        found = self._store.search_lexical(queries[0].text, limit=_DEEP * self._limit + len(seen), when=self._when)
        count: Counter[str] = Counter()
        kept = []
        for rank, passage in enumerate(found, start=1):
            count[passage.document_id] += 1
            if passage.id not in seen and count[passage.document_id] <= _MOST_OF_A_DOCUMENT:
                kept.append((rank, passage))
        return tuple(
            Hit(
                passage=passage, rank=place, score=1 / rank, lexical_rank=rank, origin=passage.document_id,
                round=queries[0].round,
            )
            for place, (rank, passage) in enumerate(kept[: self._limit], start=1)
        )  # fmt: skip

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """From the store's record."""
        return self._store.documents(tuple(ids))
