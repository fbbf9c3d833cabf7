"""What the store holds about a question in free words: the sentences that are most like it, as exact quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.chat.answers import quoted
from agent.chat.resolve import words_about
from agent.chat.shelf import Shelf
from agent.chat.state import Controls, Statement
from agent.domain import Citation, Claim, Document, Hit, Span, Stance, claim_id
from agent.small.base import Embedder
from agent.sources import StoreSources
from agent.stages.queries import plan_queries
from agent.stages.sentences import split_sentences
from agent.store.base import TimeLimit
from agent.text import content_words

_SHOWN = 3
_PASSAGES = 8
_LIKE = 0.4
"""Cosine from which a stored sentence bears on a question: with all-MiniLM-L6-v2 over the seed's sources the best
sentence had .44 to .75 for 12 questions about the event, and .16 to .28 for 5 about anything else."""


class Seen(NamedTuple):
    """Sentences of the store, and the documents they are in."""

    documents: dict[str, Document]
    statements: tuple[Statement, ...]


def find_in_store(question: str, shelf: Shelf, embedder: Embedder, controls: Controls) -> Seen:
    """The sentences of the store that are most like a question in meaning, if any bears on it."""
    if not words_about(question):
        return Seen({}, ())
    sources, hits = search_store(question, shelf, controls)
    cited = list(_sentences(hits))
    if not cited:
        return Seen({}, ())
    like = embedder.embed([one.quote for one in cited]) @ embedder.embed([question])[0]
    ranked = sorted(zip(like.tolist(), cited, strict=True), key=lambda pair: -pair[0])
    best = [one for fit, one in ranked if fit >= _LIKE][:_SHOWN]
    documents = sources.documents({one.document_id for one in best})
    return Seen(documents, tuple(quoted(one, documents) for one in best))


def search_store(query: str, shelf: Shelf, controls: Controls) -> tuple[StoreSources, tuple[Hit, ...]]:
    """Passages for a text, as a claim would find them, and where they are from."""
    when = TimeLimit(as_of=controls.as_of, undated=controls.undated)
    sources = StoreSources(shelf, limit=_PASSAGES, when=when)
    return sources, sources.find(plan_queries(Claim(id=claim_id(query, None), text=query), round=1), frozenset())


def _sentences(hits: Sequence[Hit]) -> Iterator[Citation]:
    """The sentences of passages, each once, at their places in their documents."""
    seen: set[str] = set()
    for passage in (hit.passage for hit in hits):
        for sentence in split_sentences(passage.text):
            quote = sentence.text
            if quote in seen or not content_words(quote):
                continue
            seen.add(quote)
            start = passage.span.start + sentence.span.start
            span = Span(start=start, end=start + len(quote))
            yield Citation(document_id=passage.document_id, span=span, quote=quote, stance=Stance.NEUTRAL)
