"""What was searched for a claim: round by round why, with which queries, and what each of them found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.domain import Document, Query, Stance, Verification


@dataclass(frozen=True)
class Find:
    """A passage that a query found, by its document."""

    name: str
    """Publisher or title, and date."""
    stance: Stance | None
    """None when it was not judged."""


@dataclass(frozen=True)
class Search:
    """A query, and what it found that no earlier round had; one passage may be found by several."""

    query: Query
    found: tuple[Find, ...] | None
    """None in runs of a version that did not keep it."""


@dataclass(frozen=True)
class Look:
    """One round."""

    number: int
    reason: str
    """Why it was made; empty for the first."""
    passages: int
    """New ones that were read."""
    searches: tuple[Search, ...]


def looks_of(verification: Verification, documents: Mapping[str, Document]) -> tuple[Look, ...]:
    """The rounds of a claim in order."""
    numbers = sorted({query.round for query in verification.queries})
    return tuple(_look(number, verification, documents) for number in numbers)


def _look(number: int, verification: Verification, documents: Mapping[str, Document]) -> Look:
    hits = [hit for hit in verification.hits if hit.round == number]
    queries = [query for query in verification.queries if query.round == number]
    is_told = not hits or any(hit.found_by for hit in hits)
    searches = (Search(q, tuple(_finds(q, verification, documents)) if is_told else None) for q in queries)
    return Look(number, queries[0].reason, len(hits), tuple(searches))


def _finds(query: Query, verification: Verification, documents: Mapping[str, Document]) -> Iterator[Find]:
    stances = {piece.passage_id: piece.stance for piece in verification.evidence}
    for hit in verification.hits:
        document = documents.get(hit.passage.document_id)
        if hit.round == query.round and query.text in hit.found_by and document is not None:
            name = document.publisher or document.title or document.id
            yield Find(f"{name}, {document.published or 'undated'}", stances.get(hit.passage.id))
