"""Gold passages: what the chunker cuts around gold quotes, and near misses for claims whose set names none.

For a verdict the passage is what our chunker cuts around the quotes, as a search would bring it. For a stance it is so
where a set names the quotes that decide a claim together; where it judges each quote alone, the passage is the quote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from agent.domain import Claim, Document, Passage, Span, Stance, claim_id, passage_of
from agent.ingest.chunk import cut_passages
from agent.text import content_words
from evals.cases import ClaimCase, GoldPiece, StanceCase, Suite

LONGEST = 2500
"""Characters of a gold passage; gold spread wider is left out."""


def claim_of(case: ClaimCase) -> Claim:
    """The claim of a case, as the pipeline takes it."""
    return Claim(id=claim_id(case.text, None), text=case.text, speaker=case.speaker)


class GoldPassages:
    """Passages of a suite's corpus around gold quotes."""

    def __init__(self, corpus: Mapping[str, Document]) -> None:
        self._corpus = corpus
        self._passages: dict[str, tuple[Passage, ...]] = {}

    def of_claim(self, case: ClaimCase) -> tuple[tuple[Document, Passage], ...]:
        """All passages that hold gold quotes of a claim, in the order of the quotes; without any, the nearest one."""
        found: dict[str, tuple[Document, Passage]] = {}
        for document, passage, _ in self._pieces(case, mixed=True):
            found.setdefault(passage.id, (document, passage))
        return tuple(found.values()) or (self.nearest(case),)

    def stance_cases(self, suite: Suite) -> Iterator[StanceCase]:
        """One case for each passage whose stance the set gives; a near miss as neutral one where it gives none."""
        for case in suite.claims:
            for number, (document, passage, stance) in enumerate(self._pieces(case, mixed=False)):
                if stance is not None:
                    yield _stance_case(case, number, document, passage, stance)
            if self._wants_foil(suite, case):
                document, passage = self.nearest(case)
                yield _stance_case(case, -1, document, passage, Stance.NEUTRAL)

    def nearest(self, case: ClaimCase) -> tuple[Document, Passage]:
        """The passage that shares most words with the claim and holds none of its gold."""
        gold: dict[str, list[Span]] = defaultdict(list)
        for piece in case.evidence:
            gold[piece.doc_id].append(_quote(self._corpus[piece.doc_id], piece))
        wanted = set(content_words(case.text))

        def key(row: tuple[Passage, frozenset[str]]) -> tuple[bool, int]:
            passage, words = row
            return any(_meet(passage.span, span) for span in gold.get(passage.document_id, ())), -len(wanted & words)

        passage, _ = min(self._words, key=key)
        return self._corpus[passage.document_id], passage

    @cached_property
    def _words(self) -> list[tuple[Passage, frozenset[str]]]:
        passages = (passage for name in self._corpus for passage in self._cut(name))
        return [(passage, frozenset(content_words(passage.text))) for passage in passages]

    def _wants_foil(self, suite: Suite, case: ClaimCase) -> bool:
        """Sets that give stances but no neutral passage, and whose documents were chosen for one claim each."""
        return suite.name in FOILED and (suite.name != "scifact" or not case.evidence)

    def _cut(self, name: str) -> tuple[Passage, ...]:
        if name not in self._passages:
            self._passages[name] = cut_passages(self._corpus[name])
        return self._passages[name]

    def _pieces(self, case: ClaimCase, *, mixed: bool) -> Iterator[tuple[Document, Passage, Stance | None]]:
        """Document, passage and stance of each set of quotes; `mixed`: whole passages, sets over documents kept."""
        sets: dict[tuple[str, int], list[GoldPiece]] = defaultdict(list)
        spread: dict[int, set[str]] = defaultdict(set)
        for number, piece in enumerate(case.evidence):
            group = number if piece.group is None else piece.group
            sets[piece.doc_id, group].append(piece)
            spread[group].add(piece.doc_id)
        taken: set[str] = set()
        for (name, group), pieces in sets.items():
            is_grouped, stances = pieces[0].group is not None, {piece.stance for piece in pieces}
            if not mixed and (len(spread[group]) > 1 or len(stances) > 1 or (is_grouped and name in taken)):
                continue
            taken.add(name)
            span = self._span(name, pieces, is_whole=is_grouped or mixed)
            if span.end - span.start <= LONGEST:
                yield self._corpus[name], passage_of(self._corpus[name], span), pieces[0].stance

    def _span(self, name: str, pieces: Iterable[GoldPiece], *, is_whole: bool) -> Span:
        quotes = [_quote(self._corpus[name], piece) for piece in pieces]
        return _around(quotes, self._cut(name)) if is_whole else _hull(quotes)


FOILED = ("fool_me_twice", "feverous_text", "scifact")
"""Sets without neutral passages whose corpora hide no other evidence for a claim."""


def _stance_case(case: ClaimCase, number: int, document: Document, passage: Passage, stance: Stance) -> StanceCase:
    name = "foil" if number < 0 else str(number)
    return StanceCase(f"{case.id}:{name}", claim_of(case), document, passage, stance, case.group_id or case.id)


def _quote(document: Document, piece: GoldPiece) -> Span:
    start = document.text.index(piece.quote)
    return Span(start=start, end=start + len(piece.quote))


def _hull(spans: Sequence[Span]) -> Span:
    return Span(start=min(span.start for span in spans), end=max(span.end for span in spans))


def _around(quotes: Sequence[Span], passages: Sequence[Passage]) -> Span:
    """The first passage that holds all quotes, or all passages that touch one."""
    whole = _hull(quotes)
    for passage in passages:
        if passage.span.start <= whole.start and whole.end <= passage.span.end:
            return passage.span
    touched = [passage.span for passage in passages if any(_meet(passage.span, quote) for quote in quotes)]
    return _hull(touched or quotes)


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
