"""Where a run's hits come from: a store, or the record of an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from agent.domain import Document, Hit, Query, Result
from agent.stages.retrieve import retrieve
from agent.store.base import PassageStore, TimeLimit


class Sources(Protocol):
    """Finds passages for one claim."""

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """The passages to judge for these queries (one claim, one round), without those already seen."""
        ...

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """The documents with these ids."""
        ...


class StoreSources:
    """Hits from a store."""

    def __init__(self, store: PassageStore, *, limit: int, when: TimeLimit) -> None:
        self._store = store
        self._limit = limit
        self._when = when

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """Search, fuse and cut to the limit."""
        hits = retrieve(queries, self._store, limit=self._limit, when=self._when, seen=seen)
        return tuple(hit.model_copy(update={"round": queries[0].round}) for hit in hits) if queries else ()

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """From the store's record."""
        return self._store.documents(tuple(ids))


class RecordedSources:
    """Hits as an earlier run found them: no store and no embedder is needed."""

    def __init__(self, result: Result) -> None:
        self._hits: dict[tuple[str, int], tuple[Hit, ...]] = {}
        for verification in result.verifications:
            for hit in verification.hits:
                key = (verification.claim.id, hit.round)
                self._hits[key] = (*self._hits.get(key, ()), hit)
        self._documents = result.documents

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """The recorded hits of that claim and round."""
        del seen
        return self._hits.get((queries[0].claim_id, queries[0].round), ()) if queries else ()

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """From the run log."""
        return {name: self._documents[name] for name in ids if name in self._documents}
