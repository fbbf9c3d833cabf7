"""Splits a text into sentences: exact spans that tile the text, with only white space between them.

Layout comes first: blank lines, headings, list items and paragraphs end a sentence, the line ends of
hard-wrapped prose do not. Inside such a block nupunkt finds the boundaries; its list of abbreviations was
learnt from scans and holds ordinary words (Homs, Poland, so), so boundaries it misses there are added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from agent.domain import Span

Range = tuple[int, int]

_MAX_LENGTH = 2000
"""Longer sentences are cut: a model call has to hold several of them."""

_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_LINE = re.compile(f"[^{_BREAKS}]+")
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
_MARKED = re.compile(r"(?:[-*•·‣◦▪]|#{1,6}|>|\(?\d{1,3}[.)]|\(?[a-zA-Z][)])\s")
"""What opens a list item, a heading or a quotation in Markdown."""
_ENDS = re.compile(r"""[.!?…\u3002\uff01\uff1f]["'”’»)\]]*$""")

_TITLE_WORDS = """
adm brig capt cdr cmdr col cpl dr fr gen gov hon insp lt maj messrs mme mr mrs ms pfc pres prof pvt rep reps rev sen
sens sgt st supt
"""
_NUMBERED_WORDS = """
app art arts ch chap eq fig figs no nos para pg pl pp pt ref sec secs vol vols
"""
_OTHER_WORDS = """
al approx apr apt arch assn assoc aug ave bldg blvd bros ca cal calif cf co colo comm conn corp dec dept dist div ed
eds est etc ex feb fed fla ft ga govt ill inc ind intl jan jr jul jun kan la llc ltd mar mass mich min minn miss mo mt
natl neb nev nov oct okla op ore pa penn rd res sep sept sr stat ste tenn tex univ va vs vt wash wis wyo
"""
_TITLES = frozenset(_TITLE_WORDS.split())
"""Abbreviations that never end a sentence: a name follows."""
_NUMBERED = frozenset(_NUMBERED_WORDS.split())
"""Abbreviations when a number follows, else ordinary words."""
_OTHERS = _TITLES | frozenset(_OTHER_WORDS.split())
"""Abbreviations that may end a sentence: nupunkt decides."""

_STOP = re.compile(r"""(?<![\w.'’])(?P<word>[^\W\d_]{2,})\.["'”’)\]]*\s+(?=["'“‘(\[]*(?P<next>\w))""")
_DAY = re.compile(
    r"(?<![\w.])\d{1,2}\.\s+(?=(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)"
    r"\s+(?:\d{4}\b|[^\W\d_A-ZÄÖÜ]))"
)
"""A day of the month as German writes it: its full stop ends nothing."""
# Chinese and Japanese full stops, with the closing marks that may follow.
_CJK_STOP = re.compile(r"[\u3002\uff01\uff1f][\u300d\u300f\uff09”’]*(?=[^\s\u300d\u300f\uff09”’])")
_NOTES = re.compile(r"(?:\[\w{1,3}\])+(?=\s)")
_CLOSERS = re.compile(r"""["'”’»)\]]+""")
_CLAUSE_END = re.compile(r"[;:,–—]\s")
_LONG_RUN = re.compile(r"\S{400,}")


@lru_cache(maxsize=2048)
def passage_sentences(text: str) -> tuple[Span, ...]:
    """`sentence_spans` of a passage, kept for a while: one that fits a claim of an article fits the next.

    Not for whole texts: they would be kept, too.
    """
    return sentence_spans(text)


def sentence_spans(text: str) -> tuple[Span, ...]:
    """The sentences of `text` in order; what lies between their spans is white space."""
    return tuple(Span(start=start, end=end) for block in _blocks(text) for start, end in _pieces(text, block))


def _blocks(text: str) -> Iterator[Range]:
    """Ranges no sentence reaches across, without white space at their ends."""
    lines = [tight for match in _LINE.finditer(text) if (tight := _tighten(text, match.start(), match.end()))]
    if not lines:
        return
    width = _wrap_width(text, lines)
    start = lines[0][0]
    for line, following in pairwise(lines):
        if not _runs_on(text, line, following, width=width):
            yield start, line[1]
            start = following[0]
    yield start, lines[-1][1]


def _tighten(text: str, start: int, end: int) -> Range | None:
    """The range without white space at its ends; None when nothing is left."""
    piece = text[start:end]
    end -= len(piece) - len(piece.rstrip())
    start += len(piece) - len(piece.lstrip())
    return (start, end) if start < end else None


def _runs_on(text: str, line: Range, following: Range, *, width: int) -> bool:
    """Whether the sentence that ends `line` may go on in the line that follows."""
    here, there = text[slice(*line)], text[slice(*following)]
    if not _is_adjacent(text, line, following) or _MARKED.match(there) or here.startswith("#"):
        return False
    if _is_full(line, there, width=width):
        return True
    return there[0].islower() and not _ENDS.search(here)


def _is_adjacent(text: str, line: Range, following: Range) -> bool:
    return len(_BREAK.findall(text, line[1], following[0])) == 1


def _is_full(line: Range, there: str, *, width: int) -> bool:
    """Whether the first word of the line that follows would not have fitted, or hardly."""
    length = line[1] - line[0]
    return length <= width and length + 1 + len(there.split(maxsplit=1)[0]) >= 0.85 * width


def _wrap_width(text: str, lines: list[Range]) -> int:
    """Column at which the text is hard-wrapped, 0 when it is not: most lines of a paragraph are full."""
    widest, paragraph = 0, lines[:1]
    for line, following in [*pairwise(lines), (lines[-1], None)]:
        if following and _is_adjacent(text, line, following):
            paragraph.append(following)
            continue
        width = max(end - start for start, end in paragraph)
        pairs = list(pairwise(paragraph))
        full = sum(_is_full(here, text[slice(*there)], width=width) for here, there in pairs)
        if 40 <= width <= 120 and len(pairs) >= 2 and full > len(pairs) / 2:
            widest = max(widest, width)
        paragraph = [following] if following else []
    return widest


def _pieces(text: str, block: Range) -> Iterator[Range]:
    """The sentences of one block."""
    start, end = block
    cuts = [start + cut for cut in _cuts(text[start:end])]
    merged: list[Range] = []
    for left, right in pairwise([start, *cuts, end]):
        piece = _tighten(text, left, right)
        if piece and merged and _CLOSERS.fullmatch(text, *piece):
            merged[-1] = (merged[-1][0], piece[1])
        elif piece:
            merged.append(piece)
    for piece in merged:
        yield from _shorten(text, piece)


def _cuts(block: str) -> list[int]:
    """Where a sentence begins inside the block, in ascending order."""
    import nupunkt

    # Runs without white space hold no sentences nupunkt knows, and it needs quadratic time for them.
    masked = _LONG_RUN.sub(lambda run: "x" * len(run.group()), block)
    cuts = {_after_notes(block, start) for start, _ in nupunkt.sent_spans(masked)}
    for stop in _STOP.finditer(block):
        if stop["word"].casefold() in _TITLES:
            cuts.discard(stop.end())
        elif _ends_sentence(stop["word"].casefold(), stop["next"]):
            cuts.add(stop.end())
    cuts.difference_update(day.end() for day in _DAY.finditer(block))
    cuts.update(stop.end() for stop in _CJK_STOP.finditer(block))
    return sorted(cut for cut in cuts if 0 < cut < len(block))


def _ends_sentence(word: str, following: str) -> bool:
    """Whether a full stop after `word` surely ends a sentence, given the first character that follows."""
    if word in _OTHERS or (word in _NUMBERED and following.isdigit()):
        return False
    return following.isupper() or following.isdigit()


def _after_notes(block: str, start: int) -> int:
    """`start`, or the end of the note marks ([2][3]) that stand there and belong to the sentence before."""
    notes = _NOTES.match(block, start)
    return notes.end() if notes and start and not block[start - 1].isspace() else start


def _shorten(text: str, piece: Range) -> Iterator[Range]:
    """The piece, cut at the end of a clause or at white space while it is too long."""
    start, end = piece
    while end - start > _MAX_LENGTH:
        cut = _cut_point(text, start)
        if tight := _tighten(text, start, cut):
            yield tight
        start = cut
    if tight := _tighten(text, start, end):
        yield tight


def _cut_point(text: str, start: int) -> int:
    """The last good place to cut in the second half of the longest piece allowed at `start`."""
    low, high = start + _MAX_LENGTH // 2, start + _MAX_LENGTH
    for pattern in (_CLAUSE_END, re.compile(r"\s")):
        places = [match.end() for match in pattern.finditer(text, low, high)]
        if places:
            return places[-1]
    return high
