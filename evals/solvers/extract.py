"""Extract stage: sentences through the pipeline's own extraction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.domain import Claim, LedgerEntry, Sentence, SentenceStatus, Span
from agent.ingest.read import read_document
from agent.llm.base import ChatModel
from agent.settings import Settings
from agent.stages.claims import claims_of
from agent.stages.extract import SURE_FROM, Extracted, Fits, Window, plan_windows
from agent.stages.facts import facts_of
from agent.stages.guard import Guard
from agent.stages.select import Selector, dismissed, select
from agent.stages.sentences import split_sentences
from evals.cases import SentenceCase
from evals.record import Outcome
from evals.solvers.failure import failed

_BY_RANK = (SentenceStatus.CHECKED, SentenceStatus.AMBIGUOUS, SentenceStatus.NOT_CHECKABLE)


class ExtractSolver:
    """Extracts a sentence in its article, by the windows the pipeline would cut; without context it stands alone.

    Cases of one article ask the model the same questions, and the calls are kept, so each is made once.
    """

    def __init__(
        self,
        model: ChatModel,
        settings: Settings,
        *,
        guard: Guard | None = None,
        selector: Selector | None = None,
        fits: Fits | None = None,
    ) -> None:
        self._model = model
        self._settings = settings
        self._guard = guard
        self._selector = selector
        self._fits = fits

    async def solve(self, case: SentenceCase) -> Outcome:
        """The ledger entry and the claims of the sentence."""
        text = case.context if case.context and case.text in case.context else case.text
        article = read_document(None, data=text.encode("utf-8", "replace"), name="context")
        start = max(0, article.text.find(case.text))
        wanted = Span(start=start, end=start + len(case.text))
        sentences = split_sentences(article.text)
        chances = select(sentences, self._selector)
        title = facts_of(article, sentences).headed(article.title)
        size, first = self._settings.window, self._settings.first_window
        windows = plan_windows(sentences, title, size=size, first=first, chances=chances)
        asked = [one for window in windows if _holds(window, wanted) for one in await self._claims_of(window)]
        told = (*dismissed(sentences, chances), *asked)
        found = [one for one in told if _meet(one.entry.sentence.span, wanted)]
        if not found:
            return failed(case.id, "sentences", "the sentence is not found in its own context")
        claims = tuple(claim for one in found for claim in one.claims)
        return _outcome(case, [one.entry for one in found], claims)

    async def _claims_of(self, window: Window) -> tuple[Extracted, ...]:
        return await claims_of(window, self._model, self._guard, repair=self._settings.repair, fits=self._fits)


def _outcome(case: SentenceCase, entries: Sequence[LedgerEntry], claims: tuple[Claim, ...]) -> Outcome:
    """One entry for all our sentences that make up the case: checkable if one is."""
    broken = next((entry for entry in entries if entry.status is SentenceStatus.FAILED), None)
    if broken is not None:
        return failed(case.id, "extract", broken.reason)
    best = min(entries, key=lambda entry: _BY_RANK.index(entry.status))
    ids = tuple(claim.id for claim in claims)
    return Outcome(case_id=case.id, entry=best.model_copy(update={"claim_ids": ids}), claims=claims)


def _holds(window: Window, wanted: Span) -> bool:
    return any(_meet(sentence.span, wanted) for sentence in window.sentences)


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


class ClassifierSolver:
    """Says of a sentence only whether it can be checked, by the classifier alone."""

    def __init__(self, selector: Selector) -> None:
        self._selector = selector

    async def solve(self, case: SentenceCase) -> Outcome:
        """A ledger entry; no claims are looked for."""
        (chance,) = await asyncio.to_thread(self._selector.chances, [case.text])
        is_checkable = chance >= SURE_FROM
        sentence = Sentence(index=0, span=Span(start=0, end=len(case.text)), text=case.text)
        status = SentenceStatus.CHECKED if is_checkable else SentenceStatus.NOT_CHECKABLE
        reason = "" if is_checkable else f"likelihood {chance:.2f}"
        entry = LedgerEntry(sentence=sentence, status=status, reason=reason, chance=chance)
        return Outcome(case_id=case.id, entry=entry, claims=None)
