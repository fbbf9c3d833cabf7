"""Retrieve stage: what the search finds for a gold claim, without a judge."""

from __future__ import annotations

import asyncio

from agent.errors import StoreError
from agent.stages.queries import plan_queries
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.record import Outcome
from evals.solvers.failure import failed
from evals.solvers.verdict import SourcesOf

BM25, FUSED, RERANKED = "bm25", "fused", "reranked"
SEARCHES = (BM25, FUSED, RERANKED)
"""By words alone; by words and by meaning; and that re-ranked. `pipeline` is what the settings say."""


class RetrieveSolver:
    """The pipeline's first round of search, and the second one that follows when the first finds nothing."""

    def __init__(self, ranked: SourcesOf, read: SourcesOf, *, most: int) -> None:
        """Take where to search.

        Args:
            ranked: gives enough passages for a ranking of ten documents; the first of them are what a judge reads.
            read: gives as many passages as a judge reads in a further round.
            most: passages that a judge reads in a round.
        """
        self._ranked = ranked
        self._read = read
        self._most = most

    async def solve(self, case: ClaimCase) -> Outcome:
        """The hits, best first, and what two rounds would have a judge read."""
        try:
            return await asyncio.to_thread(self._solve, case)
        except StoreError as error:
            return failed(case.id, "retrieve", error)

    def _solve(self, case: ClaimCase) -> Outcome:
        claim = claim_of(case)
        hits = self._ranked.of(case).find(plan_queries(claim, round=1), frozenset())
        first = hits[: self._most]
        seen = frozenset(hit.passage.id for hit in first)
        second = self._read.of(case).find(plan_queries(claim, round=2), seen)
        return Outcome(case_id=case.id, hits=hits, read=first + second)
