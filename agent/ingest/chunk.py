"""Cuts documents into passages, the unit of retrieval: windows of whole sentences that overlap by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from agent.domain import Document, Passage, Span, passage_of
from agent.spans import sentence_spans


class Size(NamedTuple):
    """How large a passage is. What ships was measured by `evals.training.fit_windows`."""

    enough: int = 90
    """Words from which on no sentence is added."""
    most: int = 120
    """Words that a passage may have."""
    characters: int = 1200


SHIPPED = Size()

_GAP = re.compile(r"\n[^\S\n]*\n\s*")
_WORD = re.compile(r"\S+")


class _Unit(NamedTuple):
    """A sentence or, when it is too long for a passage, a part of one."""

    start: int
    end: int
    words: int


def cut_passages(document: Document, size: Size = SHIPPED) -> tuple[Passage, ...]:
    """Passages of about 90 words, at most 120, that do not reach from one page to another."""
    starts = sorted({0, len(document.text), *(anchor.start for anchor in document.anchors)})
    spans = [span for page in pairwise(starts) for span in _windows(_units(document.text, page, size), size)]
    return tuple(passage_of(document, span) for span in spans)


def _units(text: str, page: tuple[int, int], size: Size) -> list[_Unit]:
    return [
        unit
        for left, right in _paragraphs(text, *page)
        for sentence in sentence_spans(text[left:right])
        for unit in _parts(text, (left + sentence.start, left + sentence.end), size)
    ]


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for gap in _GAP.finditer(text, start, end):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < end:
        yield start, end


def _parts(text: str, sentence: tuple[int, int], size: Size) -> Iterator[_Unit]:
    """The sentence as one unit, or cut at white space into units that fit into a passage."""
    start, end = sentence
    n_words = len(text[start:end].split())
    if n_words <= size.most and end - start <= size.characters:
        yield _Unit(start, end, n_words)
        return
    words = list(_WORD.finditer(text, start, end))
    first, last, count = start, start, 0
    for left, right in _bounded(words, size.characters):
        if count and (count == size.enough or right - first > size.characters):
            yield _Unit(first, last, count)
            count = 0
        first = first if count else left
        last, count = right, count + 1
    yield _Unit(first, last, count)


def _bounded(words: list[re.Match[str]], most: int) -> Iterator[tuple[int, int]]:
    """The ranges of the words; one longer than a passage may be is cut."""
    for word in words:
        for start in range(word.start(), word.end(), most):
            yield start, min(start + most, word.end())


def _windows(units: list[_Unit], size: Size) -> Iterator[Span]:
    first = 0
    while first < len(units):
        after = _reach(units, first, size)
        yield Span(start=units[first].start, end=units[after - 1].end)
        if after == len(units):
            return
        overlaps = after - 1 > first and _reach(units, after - 1, size) > after
        first = after - 1 if overlaps else after


def _reach(units: list[_Unit], first: int, size: Size) -> int:
    """Index after the last unit of the window that begins with unit `first`."""
    after, words = first + 1, units[first].words
    while after < len(units) and words < size.enough:
        words += units[after].words
        if words > size.most or units[after].end - units[first].start > size.characters:
            break
        after += 1
    return after
