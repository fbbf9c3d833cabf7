"""The sentences of an article."""

from __future__ import annotations

from agent.domain import Sentence
from agent.spans import sentence_spans


def split_sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of `text` in order: exact spans that tile it, with only white space between them."""
    return tuple(
        Sentence(index=index, span=span, text=span.of(text)) for index, span in enumerate(sentence_spans(text))
    )
