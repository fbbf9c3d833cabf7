"""Which claim and which source a message means."""

from __future__ import annotations

import re

from agent.chat.state import State
from agent.domain import Document
from agent.text import content_words

_NUMBERED = re.compile(r"(?:\b(?:claims?|no\.?|number)\s*|#)((?:\d+)(?:\s*(?:,|and|&|or)\s*\d+)*)", re.IGNORECASE)
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
    "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip
_ORDINAL = re.compile(rf"\b({'|'.join(_ORDINALS)}|last) claim\b", re.IGNORECASE)
_THIS = re.compile(r"\b(this|that|it|its)\b", re.IGNORECASE)
_LEAST_SHARED = 2
_ASKING = frozenset(
    content_words(
        "say said says tell told know happen happened find show give mean think look like much many there please"
        " evidence source sources article claim claims quote quotes passage text run desk anything something word words"
        " according report reported mention mentioned did detail details"
    )
)
"""Words of a question that say what is done with the answer, not what it is about."""


def claims_in(message: str, state: State) -> tuple[str, ...]:
    """The claims a message names; the subject when it names none."""
    named = claims_named(message, state)
    if named is not None:
        return named
    return (state.subject,) if state.subject else ()


def claims_named(message: str, state: State) -> tuple[str, ...] | None:
    """The claims a message names by number, by `this`, or by their words; None when it names none."""
    numbers = [int(n) for found in _NUMBERED.finditer(message) for n in re.findall(r"\d+", found[1])]
    numbers += [
        len(state.claims) if found[1].lower() == "last" else _ORDINALS[found[1].lower()]
        for found in _ORDINAL.finditer(message)
    ]
    named = tuple(state.claims[n - 1].id for n in dict.fromkeys(numbers) if 0 < n <= len(state.claims))
    if numbers:
        return named
    if state.subject and _THIS.search(message):
        return (state.subject,)
    return _by_words(message, state) or None


def _by_words(message: str, state: State) -> tuple[str, ...]:
    """The claim that shares most words with the message, when it shares enough."""
    wanted = set(content_words(message))
    shared = [(len(wanted & set(content_words(claim.text))), -at) for at, claim in enumerate(state.claims)]
    best, at = max(shared, default=(0, 0))
    return (state.claims[-at].id,) if best >= _LEAST_SHARED and best * 3 >= len(wanted) else ()


def documents_in(message: str, state: State) -> tuple[str, ...]:
    """The documents a message names by id, publisher or title, the best fit first."""
    said = set(content_words(message))
    lowered = message.casefold()
    scored = [(_fit(document, said, lowered), key) for key, document in state.documents.items()]
    found = sorted(((fit, key) for fit, key in scored if fit > 0), key=lambda item: (-item[0], item[1]))
    return tuple(key for _, key in found)


def _fit(document: Document, said: set[str], lowered: str) -> float:
    """How surely a document is meant; 0 when it is not."""
    if re.search(rf"(?<![\w-]){re.escape(document.id.casefold())}(?![\w-])", lowered):
        return 3.0
    publisher = (document.publisher or "").casefold()
    if len(publisher) > 1 and re.search(rf"(?<!\w){re.escape(publisher)}(?!\w)", lowered):
        return 2.0
    title = set(content_words(document.title))
    shared = len(title & said)
    return shared / len(title) if shared >= 3 and shared * 2 >= len(title) else 0.0


def words_about(question: str) -> frozenset[str]:
    """The words of a question that say what it is about."""
    return frozenset(content_words(question)) - _ASKING
