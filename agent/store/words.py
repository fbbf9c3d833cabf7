"""The words that a text is searched for: stop words left out, numbers and names kept."""

from __future__ import annotations

import re

_STOP_WORDS = frozenset(
    """a about above after again against all also am an and any are aren as at be because been before being below
    between both but by can cannot could couldn d did didn do does doesn doing don down during each few for from
    further had hadn has hasn have haven having he her here hers herself him himself his how i if in into is isn
    it its itself just ll m may me might more most must my myself no nor not now o of off on once only or other
    our ours ourselves out over own re s same she should shouldn so some such t than that the their theirs them
    themselves then there these they this those through to too under until up upon us ve very was wasn we were
    weren what when where which while who whom why will with won would wouldn you your yours yourself
    yourselves""".split()  # noqa: SIM905 (words are easier to read than a list of strings)
)
_WORD = re.compile(r"(?:[^\W\d_]\.){2,}|\d+(?:[.,]\d+)+|[^\W_]+")
"""An abbreviation with full stops, a number with separators, or a run of letters and digits."""
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_MOST = 64


def match_terms(text: str) -> tuple[str, ...]:
    """What to match for this text, each once, at most 64: the words that say something, with other spellings.

    `1,200` also asks for `1200` and the other way round, `U.S.` also for `US`. A text of stop words alone keeps them.
    """
    words = _WORD.findall(text)
    kept = [word for word in words if not _is_stop_word(word)] or words
    terms = dict.fromkeys(term for word in kept for term in _spellings(word))
    return tuple(terms)[:_MOST]


def _is_stop_word(word: str) -> bool:
    """Whether the word says nothing; in capitals it is a name, such as US or WHO."""
    is_name = len(word) > 1 and word.isupper()
    return word.lower() in _STOP_WORDS and not is_name


def _spellings(word: str) -> tuple[str, ...]:
    if _GROUPED.fullmatch(word):
        return (word, word.replace(",", ""))
    if word.isascii() and word.isdigit() and 4 <= len(word) <= 15:
        return (word, f"{int(word):,}") if not word.startswith("0") else (word,)
    if word.endswith("."):
        return (word, word.replace(".", ""))
    return (word.casefold(),)
