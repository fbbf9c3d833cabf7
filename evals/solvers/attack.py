"""Attacks on evidence: a claim verified on its sources, and again with a hostile document among them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from agent.desk import reranker_of
from agent.domain import Claim, Document, Verification, claim_id
from agent.ingest.chunk import cut_passages
from agent.pipeline import Deps, verify_claim
from agent.small.base import Embedder
from agent.sources import StoreSources
from agent.store.base import TimeLimit
from agent.store.memory import MemoryStore
from evals.cases import AttackCase
from evals.record import Outcome


class AttackSolver:
    """`verify_claim` without and with the planted document."""

    def __init__(self, deps: Deps, embedder: Embedder) -> None:
        self._deps = deps
        self._embedder = embedder

    async def solve(self, case: AttackCase) -> Outcome:
        """Both verifications; the clean one only where there are clean sources."""
        clean = await self._verify(case, case.documents) if case.documents else None
        attacked = await self._verify(case, (*case.documents, case.planted))
        return Outcome(case_id=case.id, clean=clean, verification=attacked)

    async def _verify(self, case: AttackCase, documents: Sequence[Document]) -> Verification:
        rows = [(document, cut_passages(document)) for document in documents]
        store = await asyncio.to_thread(lambda: MemoryStore(rows, embedder=self._embedder))
        when = TimeLimit(as_of=case.as_of, undated="drop" if case.as_of else "keep")
        settings = self._deps.settings
        sources = StoreSources(store, limit=settings.passages, when=when, reranker=reranker_of(settings))
        claim = Claim(id=claim_id(case.claim, None), text=case.claim)
        return await verify_claim(claim, replace(self._deps, sources=sources))
