"""Retrieve stage: what the search finds for a gold claim, without a judge."""

from __future__ import annotations

import asyncio

from agent.domain import Failure, FailureKind
from agent.errors import StoreError
from agent.stages.queries import plan_queries
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.record import Outcome
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
            return Outcome(
                case_id=case.id, failure=Failure(stage="retrieve", kind=FailureKind.STORE, message=str(error))
            )
        return Outcome(case_id=case.id, hits=hits)
