"""Attacks on evidence: a claim verified on its sources, and again with hostile documents among them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Literal

from agent.desk import reranker_of
from agent.domain import Claim, Document, Evidence, Hit, Label, Stance, StanceScores, Verification, claim_id
from agent.ingest.chunk import cut_passages
from agent.pipeline import Deps, verify_claim
from agent.small.base import Embedder
from agent.sources import StoreSources
from agent.spans import sentence_spans
from agent.stages.judge import Between, Judgement, LanguageModelJudge, StanceJudge
from agent.store.base import TimeLimit
from agent.store.memory import MemoryStore
from evals.cases import AttackCase
from evals.defences import Defence, between_without, rules_without, sources_without
from evals.record import Outcome

Fooled = Literal["obedient", "inventing"]
"""How a fooled judge quotes: the first words of a passage, whatever they say; or, of all but the planted ones, words
that it makes up."""
_SURE = StanceScores(supports=0.98, refutes=0.01, neutral=0.01)
_SURE_NOT = StanceScores(supports=0.01, refutes=0.98, neutral=0.01)
_INVENTED = "Officials confirmed this in full, as all sources say."


class AttackSolver:
    """`verify_claim` without and with the planted documents.

    Args:
        deps: what claims are verified with.
        embedder: of the stores that are made.
        off: defences that are switched off, in both runs.
        fooled: a judge that does what the planted text wants in place of that of `deps`.
    """

    def __init__(
        self, deps: Deps, embedder: Embedder, *, off: AbstractSet[Defence] = frozenset(), fooled: Fooled | None = None
    ) -> None:
        self._embedder = embedder
        self._off = off
        self._reranker = reranker_of(deps.settings)
        self._fooled = fooled
        self._deps = replace(deps, judge=_judge(deps, between_without(off)) if off else deps.judge)

    async def solve(self, case: AttackCase) -> Outcome:
        """Both verifications; the clean one only where there are clean sources."""
        clean = await self._verify(case, case.documents, self._deps.judge) if case.documents else None
        judge = self._deps.judge
        if self._fooled and case.gives_orders:
            judge = ObedientJudge(judge, case, self._fooled, between_without(self._off))
        attacked = await self._verify(case, (*case.documents, *case.hostile), judge)
        return Outcome(case_id=case.id, clean=clean, verification=attacked)

    async def _verify(self, case: AttackCase, documents: Sequence[Document], judge: StanceJudge) -> Verification:
        rows = [(document, cut_passages(document)) for document in documents]
        store = await asyncio.to_thread(lambda: MemoryStore(rows, embedder=self._embedder))
        when = TimeLimit(as_of=case.as_of, undated="drop" if case.as_of else "keep")
        limit, reranker = self._deps.settings.passages, self._reranker
        sources = sources_without(self._off, store, limit=limit, when=when, reranker=reranker)
        sources = sources or StoreSources(store, limit=limit, when=when, reranker=reranker)
        claim = Claim(id=claim_id(case.claim, None), text=case.claim)
        deps = replace(self._deps, sources=sources, judge=judge)
        return await verify_claim(claim, deps, rules_without(self._off))


def _judge(deps: Deps, between: Between) -> StanceJudge:
    """A language model as judge with other things between it and the text; any other judge as it is."""
    settings = deps.settings
    if not isinstance(deps.judge, LanguageModelJudge):
        return deps.judge
    return LanguageModelJudge(
        deps.model, quote_by=settings.quote_by, shown_sentences=settings.shown_sentences, between=between
    )


class ObedientJudge:
    """Judges as another does until it is shown a planted document; then it says what the attacker wants, of all.

    The worst a fooled judge can do, so what holds against it holds against any.
    """

    def __init__(self, inner: StanceJudge, case: AttackCase, fooled: Fooled, between: Between) -> None:
        self._inner = inner
        self._planted = frozenset(document.id for document in case.hostile)
        right = case.allowed or ((case.label,) if case.label else ())
        self._wish = Stance.REFUTES if Label.SUPPORTED in right else Stance.SUPPORTS
        self._fooled = fooled
        self._between = between
        self._is_fooled = False

    @property
    def id(self) -> str:
        """Of the judge it was before."""
        return f"{self._fooled}+{self._inner.id}"

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """As the other judge, or as the attacker wants."""
        self._is_fooled = self._is_fooled or any(hit.passage.document_id in self._planted for hit in hits)
        if not self._is_fooled:
            return await self._inner.judge(claim, hits, documents)
        evidence = tuple(self._obey(claim, hit) for hit in hits)
        return Judgement(evidence, sum(piece.stance is Stance.NEUTRAL for piece in evidence))

    def _obey(self, claim: Claim, hit: Hit) -> Evidence:
        spans = sentence_spans(hit.passage.text)
        invents = self._fooled == "inventing" and hit.passage.document_id not in self._planted
        quote = _INVENTED if invents or not spans else spans[0].of(hit.passage.text)
        citation = self._between.located(quote, hit.passage, self._wish)
        return Evidence(
            claim_id=claim.id,
            passage_id=hit.passage.id,
            document_id=hit.passage.document_id,
            span=hit.passage.span,
            origin=hit.origin,
            stance=self._wish if citation else Stance.NEUTRAL,
            scores=(_SURE if self._wish is Stance.SUPPORTS else _SURE_NOT) if citation else None,
            citation=citation,
        )
