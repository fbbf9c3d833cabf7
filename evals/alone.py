"""Whether a claim can be read alone: by rule, so that it costs nothing and says the same each time.

Wrong where a name stands in the claim for something else than its pronoun, and where a common noun needs no article
to be known ("The sun ..." is let pass); a sample is to be read beside it.
"""

from __future__ import annotations

import re

from agent.text import visible

_QUOTED = re.compile(r"[“\"”][^“”\"]*[“\"”]")
_PERSON = re.compile(r"\b(?:i|we|you|my|our|your|me|us|mine|ours|yours)\b", re.IGNORECASE)
_PRONOUN = re.compile(
    r"\b(?:he|she|it|they|him|her|them|his|hers|its|their|theirs|himself|herself|itself|themselves)\b", re.IGNORECASE
)
_POINTING = re.compile(
    r"^(?:that|such|here)\b|\b(?:the (?:former|latter|two sides|same|other)|this|these|those)\b"
    r"|\b(?:yesterday|tomorrow|today|last|next|this) (?:mon|tues|wednes|thurs|fri|satur|sun)?(?:day|week|month|year)\b"
    r"|\b(?:yesterday|tomorrow)\b",
    re.IGNORECASE,
)
_DUMMY = re.compile(r"\bit (?:is|was|has been|will be|takes|took|seems)\b.*\b(?:that|to|for)\b", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_a-z][\w'’-]*")
_ARTICLES = frozenset({"a", "an", "the"})
_DEFINITE = re.compile(r"^the [a-z]", re.IGNORECASE)
_KNOWN_TO_ALL = re.compile(
    r"^the (?:sun|moon|earth|world|internet|universe|sky|equator|human|average|number|first)\b", re.IGNORECASE
)


def stands_alone(claim: str) -> bool:
    """Whether a claim has no first or second person, no pronoun without a name before it, and no bare "the base".

    Words inside quotation marks are those of somebody else and not looked at.
    """
    text = _QUOTED.sub("", visible(claim))
    if _PERSON.search(text) or _POINTING.search(text):
        return False
    pronoun = None if _DUMMY.search(text) else _PRONOUN.search(text)
    if pronoun and not _has_name(text[: pronoun.start()]):
        return False
    return not _DEFINITE.match(text) or _has_name(text) or bool(_KNOWN_TO_ALL.match(text))


def _has_name(text: str) -> bool:
    """Whether something in it is written like a name, or it holds a number; a first word "The" is none."""
    first, *rest = text.split() or [""]
    if _NAME.match(first) and first.casefold() not in _ARTICLES:
        return True
    return any(_NAME.match(word.strip("(“\"'")) or word[:1].isdigit() for word in rest)
