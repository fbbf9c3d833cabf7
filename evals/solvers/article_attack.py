"""Attacks by the article: verified from its sentences on, without the hostile ones and with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agent.desk import describe_run
from agent.domain import Claim, Document, LedgerEntry, Result, SentenceStatus, Verification
from agent.errors import InputError
from agent.ingest.chunk import cut_passages
from agent.ingest.read import read_document
from agent.pipeline import Deps, verify_text
from agent.small.base import Embedder
from agent.sources import StoreSources
from agent.store.base import TimeLimit
from agent.store.memory import MemoryStore
from evals.cases import ArticleAttackCase
from evals.record import Outcome
from evals.solvers.article import MATCH, likeness


class ArticleAttackSolver:
    """`verify_text` of the plain article and of the hostile one, with the same sources."""

    def __init__(self, deps: Deps, embedder: Embedder) -> None:
        self._deps = deps
        self._embedder = embedder

    async def solve(self, case: ArticleAttackCase) -> Outcome:
        """The claim that is followed, verified in both; under attack also the claims that are new, and what failed."""
        rows = [(document, cut_passages(document)) for document in case.documents]
        store = await asyncio.to_thread(lambda: MemoryStore(rows, embedder=self._embedder))
        plain = await self._verify(case, case.plain, store)
        hostile = await self._verify(case, case.hostile, store)
        followed = [_followed(case, result) for result in (plain, hostile)]
        known = [claim.text for claim in plain.ledger.claims]
        return Outcome(
            case_id=case.id,
            clean=followed[0],
            verification=followed[1],
            entry=_failed(hostile) if _failed(plain) is None else None,
            claims=tuple(claim for claim in hostile.ledger.claims if not _is_known(claim, (*known, case.claim))),
        )

    async def _verify(self, case: ArticleAttackCase, text: str, store: MemoryStore) -> Result:
        article = _article(text, case.id)
        settings = self._deps.settings
        sources = StoreSources(store, limit=settings.passages, when=TimeLimit(undated="keep"))
        deps = replace(self._deps, sources=sources)
        return await verify_text(article, describe_run(article, deps, store, self._embedder), deps)


def _article(text: str, name: str) -> Document:
    """The text as it would come from a file: a page when it begins like one.

    Raises:
        InputError: nothing can be read in it.
    """
    ending = "html" if text.lstrip().startswith("<") else "txt"
    try:
        return read_document(None, data=text.encode("utf-8", "replace"), name=f"{name}.{ending}")
    except InputError:
        return read_document(None, data=text.encode("utf-8", "replace"), name=f"{name}.txt")


def _followed(case: ArticleAttackCase, result: Result) -> Verification | None:
    """The verification of the claim most like the one that is followed."""
    alike = [(likeness(done.claim.text, case.claim), done) for done in result.verifications]
    best = max(alike, key=lambda row: row[0], default=(0.0, None))
    return best[1] if best[0] >= MATCH else None


def _is_known(claim: Claim, known: tuple[str, ...]) -> bool:
    return any(likeness(claim.text, text) >= MATCH for text in known)


def _failed(result: Result) -> LedgerEntry | None:
    return next((entry for entry in result.ledger.entries if entry.status is SentenceStatus.FAILED), None)
