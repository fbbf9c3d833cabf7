"""Cuts documents into passages, the unit of retrieval: windows of whole sentences that overlap by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from agent.domain import Document, Passage, Span, passage_of
from agent.spans import sentence_spans

_ENOUGH_WORDS = 90
_MAX_WORDS = 120
_MAX_CHARACTERS = 1200

_GAP = re.compile(r"\n[^\S\n]*\n\s*")
_WORD = re.compile(r"\S+")


class _Unit(NamedTuple):
    """A sentence or, when it is too long for a passage, a part of one."""

    start: int
    end: int
    words: int


def cut_passages(document: Document) -> tuple[Passage, ...]:
    """Passages of about 90 words, at most 120, that do not reach from one page to another."""
    starts = sorted({0, len(document.text), *(anchor.start for anchor in document.anchors)})
    spans = [span for page in pairwise(starts) for span in _windows(_units(document.text, *page))]
    return tuple(passage_of(document, span) for span in spans)


def _units(text: str, start: int, end: int) -> list[_Unit]:
    return [
        unit
        for left, right in _paragraphs(text, start, end)
        for sentence in sentence_spans(text[left:right])
        for unit in _parts(text, left + sentence.start, left + sentence.end)
    ]


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for gap in _GAP.finditer(text, start, end):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < end:
        yield start, end


def _parts(text: str, start: int, end: int) -> Iterator[_Unit]:
    """The sentence as one unit, or cut at white space into units that fit into a passage."""
    words = list(_WORD.finditer(text, start, end))
    limit = _MAX_WORDS if len(words) <= _MAX_WORDS and end - start <= _MAX_CHARACTERS else _ENOUGH_WORDS
    first, last, count = start, start, 0
    for left, right in _bounded(words):
        if count and (count == limit or right - first > _MAX_CHARACTERS):
            yield _Unit(first, last, count)
            count = 0
        first = first if count else left
        last, count = right, count + 1
    yield _Unit(first, last, count)


def _bounded(words: list[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """The ranges of the words; one longer than a passage may be is cut."""
    for word in words:
        for start in range(word.start(), word.end(), _MAX_CHARACTERS):
            yield start, min(start + _MAX_CHARACTERS, word.end())


def _windows(units: list[_Unit]) -> Iterator[Span]:
    first = 0
    while first < len(units):
        after = _reach(units, first)
        yield Span(start=units[first].start, end=units[after - 1].end)
        if after == len(units):
            return
        overlaps = after - 1 > first and _reach(units, after - 1) > after
        first = after - 1 if overlaps else after


def _reach(units: list[_Unit], first: int) -> int:
    """Index after the last unit of the window that begins with unit `first`."""
    after, words = first + 1, units[first].words
    while after < len(units) and words < _ENOUGH_WORDS:
        words += units[after].words
        if words > _MAX_WORDS or units[after].end - units[first].start > _MAX_CHARACTERS:
            break
        after += 1
    return after
