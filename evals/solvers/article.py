"""The whole pipeline on one annotated article; its claims are then set against those of the gold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from agent.desk import describe_run
from agent.domain import Claim, Failure, FailureKind, LedgerEntry, Result, SentenceStatus
from agent.pipeline import Deps, verify_text
from agent.small.base import Embedder
from agent.store.base import PassageStore
from agent.text import content_words
from evals.cases import ArticleCase, Suite
from evals.record import Outcome

MATCH = 0.5
"""Least F1 of content words for a found claim and a gold claim to be the same."""


class ArticleSolver:
    """Verifies the article once, for the first case; the others take their part of it."""

    def __init__(self, suite: Suite, deps: Deps, store: PassageStore, embedder: Embedder) -> None:
        self._suite = suite
        self._deps = deps
        self._store = store
        self._embedder = embedder
        self._result: asyncio.Task[Result] | None = None

    async def solve(self, case: ArticleCase) -> Outcome:
        """The verification of the found claim that matches the gold claim, and the ledger entry of its sentence."""
        if self._result is None:
            self._result = asyncio.create_task(self._verify())
        result = await self._result
        entry = _entry(case, result)
        found = match_claims(result.ledger.claims, self._suite.gold).get(case.id)
        done = next((one for one in result.verifications if found and one.claim.id == found.id), None)
        outcome = Outcome(case_id=case.id, entry=entry, verification=done, claims=(found,) if found else ())
        if found and done is None:
            lost = Failure(stage="pipeline", kind=FailureKind.BUG, message=f"claim {found.id!r} was never verified")
            return outcome.model_copy(update={"failure": lost})
        return outcome

    async def _verify(self) -> Result:
        article = self._suite.article
        assert article is not None
        return await verify_text(article, describe_run(article, self._deps, self._store, self._embedder), self._deps)


def match_claims(found: Sequence[Claim], gold: Sequence[ArticleCase]) -> dict[str, Claim]:
    """Gold case id to the claim found: one to one, most alike first, within overlapping sentences."""
    candidates = [
        (likeness(claim.text, case.claim), i, j)
        for i, claim in enumerate(found)
        for j, case in enumerate(gold)
        if case.checkable and claim.origin and claim.origin.start < case.end and case.start < claim.origin.end
    ]
    taken: set[int] = set()
    pairs: dict[str, Claim] = {}
    for value, i, j in sorted(candidates, key=lambda row: (-row[0], row[1], row[2])):
        if value >= MATCH and i not in taken and gold[j].id not in pairs:
            taken.add(i)
            pairs[gold[j].id] = found[i]
    return pairs


def likeness(one: str, other: str) -> float:
    """F1 of the content words two texts share."""
    a, b = Counter(content_words(one)), Counter(content_words(other))
    shared = sum((a & b).values())
    return 2 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def _entry(case: ArticleCase, result: Result) -> LedgerEntry | None:
    """The entry of the gold sentence; of several the checked one."""
    entries = [
        entry
        for entry in result.ledger.entries
        if entry.sentence.span.start < case.end and case.start < entry.sentence.span.end
    ]
    checked = [entry for entry in entries if entry.status is SentenceStatus.CHECKED]
    return next(iter(checked or entries), None)
