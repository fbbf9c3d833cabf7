"""Small text tools several stages share: outside text made safe for a prompt, and the words and numbers in a text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_STOP = """
a about above after again against all also an and any are as at be because been before being below between
both but by can could did do does doing down during each few for from further had has have having he her here
hers him his how i if in into is it its itself just me more most my no nor not now of off on once only or
other our out over own same she should so some such than that the their theirs them then there these they this
those through to too under until up very was we were what when where which while who whom why will with would
you your
"""
STOP_WORDS = frozenset(_STOP.split())

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f]\d+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
_GREEK_OR_CYRILLIC = re.compile("[\u0370-\u052f]")
_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u04cf"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u03bf\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijsdhlABEKMHOPCTYXIJSoABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters that nobody tells from Latin ones."""
_TAG = re.compile(r"<(?=/?p\d|[|\uff5c]|/?s>|</?SYS>>|/?(?:start|end)_of_turn>|[be]os>)|\[(?=/?INST\])")
"""Where one of our tags begins, or a control token of a family of models."""
_BROKEN = "‹"


def as_data(text: str) -> str:
    """One line of outside text that cannot be taken for our own marks or for control tokens of a model.

    White space is made single blanks; control, format, tag and bidirectional characters are dropped; the opening of
    our passage tags and of control tokens such as `<|im_start|>` or `[INST]` is broken; straight
    double quotation marks become curly ones, which a small model can repeat inside JSON.
    """
    return _TAG.sub(_BROKEN, visible(text)).replace('"', "”")


def as_own(text: str) -> str:
    """What a model said itself, to be sent back to it: lines and quotation marks stay, all else is as in `as_data`."""
    kept = (char for char in text if char in "\n\t" or unicodedata.category(char)[0] != "C")
    return _TAG.sub(_BROKEN, "".join(kept))


def visible(text: str) -> str:
    """One line of what a reader sees of a text.

    Control, format, tag and bidirectional characters are dropped; see also `as_latin`.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        words = (word if word.isprintable() else _without_controls(word) for word in line.split())
        line = " ".join(word for word in words if word)
    return line if line.isascii() else as_latin(line)


def _without_controls(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char)[0] != "C")


def as_latin(text: str) -> str:
    """The text with Latin letters for Cyrillic and Greek ones that look alike, in words that mix the scripts.

    Every character stays at its place. A word that is Cyrillic or Greek altogether is left as it is.
    """
    return _LETTERS.sub(_unmixed, text) if _GREEK_OR_CYRILLIC.search(text) else text


def _unmixed(word: re.Match[str]) -> str:
    found = word.group()
    if found.isascii() or not _LATIN.search(found):
        return found
    latin = found.translate(_LOOK_ALIKES)
    return found if _GREEK_OR_CYRILLIC.search(latin) else latin


def content_words(text: str) -> list[str]:
    """Lower-case words without stop words, lightly stemmed, in order; numbers are words too."""
    return [stem(word) for word in (raw.casefold() for raw in _WORD.findall(text)) if word not in STOP_WORDS]


def same_statement(text: str) -> tuple[str, ...]:
    """What two texts have in common that say the same in the same words: all but articles and what ends a clause.

    Signs stay: "-5" is not "5".
    """
    words = (word.rstrip(".,;:!?") for word in visible(text).casefold().split())
    return tuple(word for word in words if word and word not in {"a", "an", "the"})


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its commonest English endings; only for comparing words with each other."""
    for ending in ("'s", "’s", "ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def numbers(text: str) -> frozenset[str]:
    """The numbers written with digits in a text, without separators of thousands."""
    return frozenset(re.sub(r"[,\u00a0\u202f](?=\d{3}\b)", "", found) for found in _NUMBER.findall(text))
