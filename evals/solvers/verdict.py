"""Verdict stage: gold claims through the pipeline, with evidence as it finds it or as gold names it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from agent.domain import Document, Hit, Label, Passage, Query, Verification, short_hash
from agent.pipeline import Deps, verify_claim
from agent.sources import Sources, StoreSources
from agent.stages.decide import decide
from agent.stages.judge import StanceJudge
from agent.stages.retrieve import Reranker, origins_of
from agent.store.base import PassageStore, TimeLimit
from evals.cases import ClaimCase
from evals.passages import GoldPassages, claim_of
from evals.record import Outcome
from evals.solvers.lexical import LexicalSources

_DEEP = 40
"""Passages looked at when those of gold are left out."""
_MOST_GOLD = 20
"""Gold passages shown to the judge: no set names more for a claim."""


class VerdictSolver:
    """`verify_claim`, the very function the product runs, on one gold claim."""

    def __init__(self, deps: Deps, sources: SourcesOf, *, second: StanceJudge | None) -> None:
        """Take what a run works with.

        Args:
            deps: of the pipeline; its sources are not used.
            sources: where the evidence of a case comes from.
            second: judge that reads the cited quotes alone; None leaves that out.
        """
        self._deps = deps
        self._sources = sources
        self._second = second

    async def solve(self, case: ClaimCase) -> Outcome:
        """The verification, and what the quotes it cites say without the rest."""
        sources = await asyncio.to_thread(self._sources.of, case)
        verification = await verify_claim(claim_of(case), replace(self._deps, sources=sources))
        alone = await self._alone(verification, sources) if self._second else None
        return Outcome(case_id=case.id, verification=verification, alone=alone)

    async def _alone(self, verification: Verification, sources: Sources) -> Label | None:
        """The label the cited quotes give when the judge sees nothing else; None without citations."""
        if verification.verdict is None or not verification.verdict.rationale or self._second is None:
            return None
        documents = sources.documents({citation.document_id for citation in verification.verdict.rationale})
        origins = {piece.citation: piece.origin for piece in verification.evidence}
        hits = tuple(
            Hit(
                passage=Passage(
                    id=short_hash(citation.document_id, str(citation.span.start), str(citation.span.end)),
                    document_id=citation.document_id,
                    span=citation.span,
                    text=citation.quote,
                ),
                rank=rank,
                score=1.0,
                origin=origins[citation],
            )
            for rank, citation in enumerate(verification.verdict.rationale, start=1)
        )
        judged = await self._second.judge(verification.claim, hits, documents)
        return decide(judged.evidence, (), documents).label


class SourcesOf(Protocol):
    """Where the evidence of a case comes from."""

    def of(self, case: ClaimCase) -> Sources:
        """Sources for one case."""
        ...


class Search(NamedTuple):
    """How a store is searched, apart from how much is taken."""

    store: PassageStore
    when: TimeLimit
    reranker: Reranker | None = None
    by_words: bool = False
    """By words alone, as a baseline."""

    def sources(self, limit: int) -> Sources:
        """Sources that give at most so many passages."""
        if self.by_words:
            return LexicalSources(self.store, limit=limit, when=self.when)
        return StoreSources(self.store, limit=limit, when=self.when, reranker=self.reranker)


class SearchedSources:
    """A store, searched as of the claim's own date where the suite says so."""

    def __init__(self, search: Search, *, limit: int, claim_dates: bool) -> None:
        self._search = search
        self._limit = limit
        self._claim_dates = claim_dates

    def of(self, case: ClaimCase) -> Sources:
        """Sources for one case."""
        search = self._search
        if self._claim_dates and case.date is not None:
            search = search._replace(when=search.when.model_copy(update={"as_of": case.date}))
        return search.sources(self._limit)


class WithheldSources:
    """What the same search finds when the documents that gold names are left out."""

    def __init__(self, search: Search, *, limit: int) -> None:
        self._search = search
        self._limit = limit

    def of(self, case: ClaimCase) -> Sources:
        """Sources for one case."""
        hidden = frozenset(piece.doc_id for piece in case.evidence)
        return _Without(self._search.sources(_DEEP), hidden, self._limit)


class _Without:
    """Sources without some documents."""

    def __init__(self, sources: Sources, hidden: frozenset[str], limit: int) -> None:
        self._sources = sources
        self._hidden = hidden
        self._limit = limit

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """The first hits in other documents, ranked anew."""
        found = self._sources.find(queries, seen)
        left = [hit for hit in found if hit.passage.document_id not in self._hidden][: self._limit]
        return tuple(hit.model_copy(update={"rank": rank}) for rank, hit in enumerate(left, start=1))

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """Their documents."""
        return self._sources.documents(ids)


class GoldSources:
    """The passages that hold the gold quotes; without any, the passage that shares most words with the claim."""

    def __init__(self, gold: GoldPassages) -> None:
        self._gold = gold

    def of(self, case: ClaimCase) -> Sources:
        """The gold of one case."""
        return GivenPassages(self._gold.of_claim(case)[:_MOST_GOLD])


class GivenPassages:
    """Sources that hold these passages and nothing else; found in the first round."""

    def __init__(self, rows: Sequence[tuple[Document, Passage]]) -> None:
        self._rows = rows
        self._documents = {document.id: document for document, _ in rows}

    def find(self, queries: Sequence[Query], seen: frozenset[str]) -> tuple[Hit, ...]:
        """All of them that were not seen."""
        del queries
        origins = origins_of([passage for _, passage in self._rows], self._documents)
        new = [passage for _, passage in self._rows if passage.id not in seen]
        return tuple(
            Hit(passage=passage, rank=rank, score=1.0, origin=origins[passage.id])
            for rank, passage in enumerate(new, start=1)
        )

    def documents(self, ids: Iterable[str]) -> dict[str, Document]:
        """Their documents."""
        return {name: self._documents[name] for name in ids if name in self._documents}


def weakens(verification: Verification, documents: Mapping[str, Document]) -> bool | None:
    """Whether the verdict changes or becomes less sure when the evidence it cites is taken away; None without any.

    Evidence-removal ablation: decided anew from what is left, without a model. A verdict that stays as sure without
    its citations does not rest on them.
    """
    verdict = verification.verdict
    if verdict is None or not verdict.rationale:
        return None
    cited = set(verdict.rationale)
    left = [piece for piece in verification.evidence if piece.citation not in cited]
    kept = {piece.passage_id for piece in left}
    checks = [check for check in verification.checks if check.passage_id in kept]
    anew = decide(left, checks, dict(documents))
    return anew.label is not verdict.label or (anew.confidence or 0) < (verdict.confidence or 0)
