"""Small builders of domain data for tests."""

from __future__ import annotations

from agent.domain import (
    Citation,
    Claim,
    Document,
    Evidence,
    Hit,
    Span,
    Stance,
    StanceScores,
    claim_id,
    passage_of,
    text_sha256,
)


def document(text, name="d1", **fields):
    return Document(id=name, text=text, sha256=text_sha256(text), **fields)


def claim(text="The bridge opened in 1931.", index=0):
    return Claim(id=claim_id(text, index), text=text, sentence_index=index, origin=Span(start=0, end=len(text)))


def hit(source, rank=1, origin=None, span=None):
    whole = span or Span(start=0, end=len(source.text))
    return Hit(passage=passage_of(source, whole), rank=rank, score=1 / rank, origin=origin or source.id)


def evidence(source, stance, quote=None, *, origin=None, score=None):
    """Evidence from a whole document; its quote is the whole text unless given."""
    passage = passage_of(source, Span(start=0, end=len(source.text)))
    start = source.text.index(quote or source.text)
    cited = Citation(
        document_id=source.id, span=Span(start=start, end=start + len(quote or source.text)),
        quote=quote or source.text, stance=stance,
    )  # fmt: skip
    rest = (1 - score) / 2 if score is not None else 0
    scores = None if score is None else StanceScores(**({s.value: rest for s in Stance} | {stance.value: score}))
    return Evidence(
        claim_id="c", passage_id=passage.id, document_id=source.id, span=passage.span, origin=origin or source.id,
        stance=stance, scores=scores, citation=None if stance is Stance.NEUTRAL else cited,
    )  # fmt: skip
