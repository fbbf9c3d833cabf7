"""Small documents and passages for the tests of the store."""

from __future__ import annotations

from agent.domain import Document, Span, passage_of, short_hash, text_sha256

TEXTS = {
    "bridge": ("2016-05-02", "The bridge at Velm was closed for repairs. Lorries took the ferry for two months."),
    "grain": ("2016-09", "Grain prices rose by 12 percent. The mill at Velm bought 1,200 tonnes of barley."),
    "mayor": (None, "The mayor of Orsk resigned on Monday. Her deputy, Ilva Tarn, takes over the office."),
    "flood": ("2017", "The river flooded the lower town. The bridge at Velm held, the ferry did not."),
}


def document_of(name, text, *, published=None, **fields):
    """A document whose id is derived from its name alone, so that its text can be replaced."""
    return Document(id=short_hash(name), text=text, title=name, published=published, sha256=text_sha256(text), **fields)


def item_of(name, text, *, published=None, **fields):
    """A document with a passage for each sentence."""
    document = document_of(name, text, published=published, **fields)
    spans, start = [], 0
    for part in text.split(". "):
        end = min(start + len(part) + 1, len(text))
        if end > start:
            spans.append(Span(start=start, end=end))
        start = end + 1
    return document, tuple(passage_of(document, span) for span in spans if span.of(text).strip())


ITEMS = tuple(item_of(name, text, published=published) for name, (published, text) in TEXTS.items())
