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


class RetrieveSolver:
    """The pipeline's first round of search."""

    def __init__(self, sources: SourcesOf) -> None:
        self._sources = sources

    async def solve(self, case: ClaimCase) -> Outcome:
        """The hits, best first."""
        claim = claim_of(case)
        try:
            hits = await asyncio.to_thread(self._sources.of(case).find, plan_queries(claim, round=1), frozenset[str]())
        except StoreError as error:
            return failed(case.id, "retrieve", error)
        return Outcome(case_id=case.id, hits=hits)
