"""Where a run's hits come from: a store, or the record of an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from agent.domain import Claim, Document, Hit, Query, Result
from agent.errors import ModelError
from agent.stages.judge import Judgement
from agent.stages.retrieve import Reranker, retrieve
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

    def __init__(self, store: PassageStore, *, limit: int, when: TimeLimit, reranker: Reranker | None = None) -> None:
        self._store = store
        self._limit = limit
        self._when = when
        self._reranker = reranker

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """Search, fuse, re-rank if asked, and cut to the limit."""
        hits = retrieve(queries, self._store, limit=self._limit, when=self._when, seen=seen, reranker=self._reranker)
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


class RecordedJudge:
    """The evidence of an earlier run, for a judge that does not answer from replies alone, such as a cross-encoder."""

    def __init__(self, judge_id: str, result: Result) -> None:
        self._id = judge_id
        self._evidence = {
            (verification.claim.id, piece.passage_id): piece
            for verification in result.verifications
            for piece in verification.evidence
        }
        self._dropped = {
            (verification.claim.id, verification.hits[0].passage.id): verification.dropped_citations
            for verification in result.verifications
            if verification.hits
        }

    @property
    def id(self) -> str:
        """Id of the judge whose evidence it is."""
        return self._id

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """The recorded evidence; the quotes dropped for the claim are told with its first hit, so once.

        Raises:
            ModelError: there is none for a passage: code has changed since.
        """
        del documents
        try:
            evidence = tuple(self._evidence[claim.id, hit.passage.id] for hit in hits)
        except KeyError as error:
            raise ModelError(f"no recorded evidence for passage {error.args[0][1]!r}: run it afresh") from error
        return Judgement(evidence, self._dropped.get((claim.id, hits[0].passage.id), 0) if hits else 0)
