"""BM25 and counted words: what can be had without any model."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Mapping

from agent.domain import Citation, Document, Hit, Label, Passage, Span, Stance, Verdict, Verification
from agent.ingest.chunk import cut_passages
from agent.spans import sentence_spans
from agent.stages.checks import compare
from agent.text import content_words
from evals.cases import ClaimCase
from evals.passages import claim_of
from evals.record import Outcome

_K1, _B = 1.2, 0.75
"""Usual parameters (Robertson & Zaragoza 2009), not tuned."""
_KEPT = 5
"""Passages named as found."""
_ENOUGH = 0.6
"""Least share of the claim's words in a sentence for it to speak of the same; chosen by thought, not tuned."""


class Bm25:
    """Okapi BM25 over passages (Robertson & Zaragoza 2009, The Probabilistic Relevance Framework)."""

    def __init__(self, texts: list[list[str]]) -> None:
        self._lengths = [len(words) for words in texts]
        self._mean = sum(self._lengths) / max(1, len(texts)) or 1.0
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, words in enumerate(texts):
            for word, count in Counter(words).items():
                self._postings[word].append((number, count))

    def scores(self, words: list[str]) -> dict[int, float]:
        """Score of every text that holds a word of the query, by its number."""
        found: dict[int, float] = defaultdict(float)
        for word in sorted(set(words)):
            postings = self._postings.get(word, [])
            weight = math.log(1 + (len(self._lengths) - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, count in postings:
                norm = _K1 * (1 - _B + _B * self._lengths[number] / self._mean)
                found[number] += weight * count * (_K1 + 1) / (count + norm)
        return dict(found)


class Bm25Solver:
    """The first passage by BM25; its sentence with most of the claim's words decides.

    With enough shared words the claim is supported, or refuted when a number, date, name or negation differs; else
    there is not enough evidence. Confidence is the share of words.
    """

    def __init__(self, corpus: Mapping[str, Document]) -> None:
        self._passages = [passage for document in corpus.values() for passage in cut_passages(document)]
        self._index = Bm25([content_words(passage.text) for passage in self._passages])

    async def solve(self, case: ClaimCase) -> Outcome:
        """The verdict with its one citation."""
        return await asyncio.to_thread(self._solve, case)

    def _solve(self, case: ClaimCase) -> Outcome:
        claim = claim_of(case)
        words = content_words(claim.text)
        scores = self._index.scores(words)
        best = sorted(scores, key=lambda number: (-scores[number], number))[:_KEPT]
        hits = tuple(self._hit(number, rank, scores[number]) for rank, number in enumerate(best, start=1))
        verdict = _judge(case.text, set(words), hits[0].passage) if hits else _none("No passage shares a word with it.")
        return Outcome(case_id=case.id, verification=Verification(claim=claim, hits=hits, outcome=verdict))

    def _hit(self, number: int, rank: int, score: float) -> Hit:
        passage = self._passages[number]
        return Hit(passage=passage, rank=rank, score=score, lexical_rank=rank, origin=passage.document_id)


def _judge(claim: str, words: set[str], passage: Passage) -> Verdict:
    spans = sentence_spans(passage.text) or [Span(start=0, end=len(passage.text))]
    shares = [len(words & set(content_words(span.of(passage.text)))) / max(1, len(words)) for span in spans]
    best = max(range(len(spans)), key=lambda number: (shares[number], -number))
    if shares[best] < _ENOUGH:
        return _none(f"The best sentence holds {shares[best]:.0%} of the claim's words.")
    span = spans[best]
    quote = span.of(passage.text)
    differs = any(not check.agrees for check in compare(claim, quote, passage.id, context=passage.text))
    stance, label = (Stance.REFUTES, Label.REFUTED) if differs else (Stance.SUPPORTS, Label.SUPPORTED)
    start = passage.span.start + span.start
    citation = Citation(
        document_id=passage.document_id,
        span=Span(start=start, end=start + len(quote)),
        quote=quote,
        stance=stance,
    )
    return Verdict(
        label=label,
        confidence=round(shares[best], 4),
        rationale=(citation,),
        justification=f"The best sentence holds {shares[best]:.0%} of the claim's words.",
        origins=1,
    )


def _none(reason: str) -> Verdict:
    return Verdict(label=Label.NOT_ENOUGH_EVIDENCE, confidence=0.5, justification=reason, origins=0)
