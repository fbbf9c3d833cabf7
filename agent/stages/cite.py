"""From a quote a model gave to exact characters of the document, or to nothing.

Offsets are computed, never believed. A quote counts as found when it stands in the passage word for word, or
differs only in ways no reader would call another wording: blanks, quotation marks, dashes, compatibility forms,
letters of another script that look alike. Case, letters and digits must be the same; nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from agent.domain import Citation, Match, Passage, Span, Stance
from agent.text import as_latin

_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2035\u2036\u00ab\u00bb\u2039\u203a"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2043"
_FOLDED = str.maketrans(dict.fromkeys(_QUOTES, "'") | dict.fromkeys(_DASHES, "-"))
_RUN = re.compile(r"^[-' ]$")
_ADDED_FRONT = "' ."
_ADDED_BACK = "' ."


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text made comparable, and where each of its characters came from."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def is_whole(self, start: int, end: int) -> bool:
        """Whether the characters are not cut out of the middle of one original character."""
        return (start == 0 or self.starts[start - 1] != self.starts[start]) and (
            end == len(self.text) or self.starts[end] != self.starts[end - 1]
        )

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether no word is cut at either end."""
        return not (
            (start > 0 and self.text[start - 1].isalnum() and self.text[start].isalnum())
            or (end < len(self.text) and self.text[end - 1].isalnum() and self.text[end].isalnum())
        )


def locate_quote(quote: str, passage: Passage, stance: Stance) -> Citation | None:
    """The first place of `quote` in the passage as an exact slice of the document, or None.

    Tried in this order: the very characters; the same after folding blanks, quotation marks, dashes, invisible
    characters and compatibility forms; the same without the marks a model likes to put around a quote.
    """
    if not _has_word(quote):
        return None
    start = passage.text.find(quote)
    if start >= 0:
        return _cite(passage, start, start + len(quote), stance=stance, match=Match.EXACT)
    found = _find_folded(quote, passage.text)
    if found is None:
        return None
    return _cite(passage, found[0], found[1], stance=stance, match=Match.NORMALISED)


def _cite(passage: Passage, start: int, end: int, *, stance: Stance, match: Match) -> Citation:
    offset = passage.span.start
    return Citation(
        document_id=passage.document_id,
        span=Span(start=offset + start, end=offset + end),
        quote=passage.text[start:end],
        stance=stance,
        match=match,
    )


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _find_folded(quote: str, text: str) -> tuple[int, int] | None:
    """Original offsets of the quote in the text, both folded."""
    folded = _fold(text)
    wanted = _fold(quote).text.strip()
    place = _first_place(wanted, folded, alone=False)
    if place is None:
        core = wanted.lstrip(_ADDED_FRONT).rstrip(_ADDED_BACK)
        place = _first_place(core, folded, alone=True) if core != wanted else None
    if place is None:
        return None
    start, end = place
    return folded.starts[start], folded.ends[end - 1]


def _first_place(wanted: str, folded: _Folded, *, alone: bool) -> tuple[int, int] | None:
    """First whole occurrence; `alone` asks that it cuts no word."""
    if not _has_word(wanted):
        return None
    start = folded.text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if folded.is_whole(start, end) and (not alone or folded.stands_alone(start, end)):
            return start, end
        start = folded.text.find(wanted, start + 1)
    return None


def _fold(text: str) -> _Folded:
    """Fold cluster by cluster, so that every folded character knows its original characters."""
    text = as_latin(text)  # which moves no character
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end in _clusters(text):
        for character in _fold_cluster(text[start:end]):
            if characters and character == characters[-1] and _RUN.match(character):
                ends[-1] = end
                continue
            characters.append(character)
            starts.append(start)
            ends.append(end)
    return _Folded("".join(characters), tuple(starts), tuple(ends))


def _fold_cluster(cluster: str) -> str:
    plain = unicodedata.normalize("NFKC", cluster.translate(_FOLDED)).translate(_FOLDED)
    return "".join(
        " " if character.isspace() else character for character in plain if unicodedata.category(character) != "Cf"
    )


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Ranges of characters that compose with each other and so must be normalised together."""
    start = 0
    for index in range(1, len(text)):
        if not _composes(text[start:index], text[index]):
            yield start, index
            start = index
    if text:
        yield start, len(text)


def _composes(cluster: str, character: str) -> bool:
    if character.isascii():
        return False
    if unicodedata.combining(character):
        return True
    together = unicodedata.normalize("NFKC", cluster + character)
    return together != unicodedata.normalize("NFKC", cluster) + unicodedata.normalize("NFKC", character)
