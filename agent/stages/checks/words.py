"""Words as the checks compare them: cleaned text, tokens with their places, light stems, overlap."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from agent.text import as_latin

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,:/]\d+)*[^\W_]*")
_FOLDED = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc`\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
    | {"\u2014": " - ", "\u00bd": ".5", "\u00bc": ".25", "\u00be": ".75", "\u00b2": "^2", "\u00b3": "^3"}
)
_NOTE_MARK = re.compile(r"\[(?:\d{1,3}|note \d+|update|citation needed)\]", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])['\")\]]*\s+(?=['\"(\[]*[A-Z0-9])|\n\s*\n")
_LONG = re.compile(r"\S.{0,500}(?!\S)|\S{1,500}")
"""Tables and lists without full stops are cut, so that time stays linear in the length of a text."""
_ABBREVIATED = re.compile(
    r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Sgt|No|vs|Jr|Sr|ca|c|approx|est|U\.S|Inc|Jan|Feb|Aug|Sept?|Oct|Nov|Dec))\.$"
)

_CLAUSE_EDGE = re.compile(r"[,;:()]| - | and | but | while | which | who | when | where | after | before | although ")
_NEAR = 8
"""Words looked at on each side."""
STOP_WORDS = frozenset(
    "a an the this that these those and or but nor so yet if then than as at by for from in into of off on onto out "
    "over per since to toward towards under until up upon via with within about above after against along among "
    "around before behind below between beyond down during near through throughout is are was were be been being am "
    "has have had having do does did done doing will would shall should can could may might must it its he him his "
    "she her hers they them their theirs we us our you your i me my who whom whose which what when where why how "
    "there here also both each either other another some any such only own same too very just more most less least "
    "all not no never none without cannot while because although though however according said says zero one two three "
    "four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion".split()
)
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "persons": "person",
    "died": "die",
    "dying": "die",
    "feet": "foot",
    "began": "begin",
    "begun": "begin",
    "beginning": "begin",
    "won": "win",
    "lost": "lose",
    "wrote": "write",
    "written": "write",
    "born": "birth",
    "built": "build",
    "held": "hold",
    "shot": "shoot",
    "sold": "sell",
    "made": "make",
    "took": "take",
    "taken": "take",
    "lives": "life",
}


_KEPT = 2048
"""Texts of which the words are remembered: a claim is compared with many quotes, in four ways each."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word or number and where it stands."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in lower case, without a possessive ending."""
        return self.text.lower().removesuffix("'s")


@lru_cache(maxsize=_KEPT)
def clean(text: str) -> str:
    """Text with plain quotes, hyphens and digits, without invisible characters and note marks."""
    folded = unicodedata.normalize("NFKC", text.translate(_FOLDED)).translate(_FOLDED)
    visible = "".join(character for character in folded if unicodedata.category(character) != "Cf")
    return as_latin(" ".join(_NOTE_MARK.sub(" ", visible).split()))


@lru_cache(maxsize=_KEPT)
def tokens(text: str) -> tuple[Token, ...]:
    """Words and numbers in order."""
    return tuple(Token(found.group(), found.start(), found.end()) for found in _TOKEN.finditer(text))


def sentences(text: str) -> tuple[str, ...]:
    """Rough sentences of a cleaned text: good enough to tell what stands near what."""
    parts: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATED.search(text[start : end.start()]):
            parts.append(text[start : end.start()])
            start = end.end()
    parts.append(text[start:])
    return tuple(piece for part in parts for piece in _LONG.findall(part) if piece.strip())


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without the endings that do not change what it speaks of."""
    lower = word.lower().removesuffix("'s").removesuffix("'")
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    for ending, instead in (("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if lower.endswith(ending) and len(lower) - len(ending) >= 3 and not lower.endswith("ss"):
            return _bare(lower.removesuffix(ending) + instead)
    return _bare(lower)


def _bare(word: str) -> str:
    if len(word) > 4 and word[-1] == word[-2] and word[-1] in "bdgmnprt":
        return word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


@lru_cache(maxsize=_KEPT)
def content(text: str) -> frozenset[str]:
    """Stems of the words that carry meaning, numbers left out."""
    return frozenset(
        stem(token.text)
        for token in tokens(text)
        if token.lower not in STOP_WORDS and not token.text[0].isdigit() and len(token.lower) > 1
    )


def around(sentence: str, start: int, end: int, *, names: bool = True) -> frozenset[str]:
    """Stems of the words of the clause around a place; of the next clause when the place is a clause alone.

    Without `names` capitalised words are left out, unless there is nothing else.
    """
    before = _CLAUSE_EDGE.split(sentence[:start].rstrip(" ,(\"'"))[-1] if start else ""
    after = _CLAUSE_EDGE.split(sentence[end:].lstrip(" ,)\"'"))[0]
    if sentence[:start].rstrip().endswith((",", "(", ";")) and content(after):
        before = ""
    elif sentence[end:].lstrip().startswith((",", ")", ";")) and content(before):
        after = ""
    nearest = (*tokens(before)[-_NEAR:], *tokens(after)[:_NEAR])
    found = content(" ".join(token.text for token in nearest))
    if names:
        return found
    return content(" ".join(token.text for token in nearest if token.text.islower())) or found


def coverage(part: frozenset[str], whole: frozenset[str]) -> float:
    """Share of `part` that is in `whole`; 0 when there is nothing to share."""
    return len(part & whole) / len(part) if part else 0.0
