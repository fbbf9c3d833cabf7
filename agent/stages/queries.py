"""A claim to the texts the store is searched for: plain rules, no model, one step wider each round."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.domain import Claim, ClaimKind, Purpose, Query, normalise

_MOST_NAMES = 12
_MOST_PLAIN_WORDS = 8
_WORD = re.compile(r"(?:[^\W\d_]\.){2,}|[^\W_]+(?:[.,:/'\u2019\u2013-][^\W_]+)*%?")
"""A word or number with what may stand inside it: `U.S.`, `1,200.5`, `al-Tharda`, `9/11`, `19%`."""
_POSSESSIVE = re.compile(r"['\u2019]s$", re.IGNORECASE)

_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about above after again against all also am among an and any are as at be became because"
        " become been before being below between both but by can could did do does doing down during each"
        " either few for from further had has have having he her here hers herself him himself his how i"
        " if in into is it its itself just may me might more most must my myself neither nor of off on"
        " once one only or other our ours out over own per same shall she should so some such than that"
        " the their theirs them themselves then there these they this those through to too under until up"
        " upon us very was we were what when where which while who whom whose why will with within would"
        " yet you your yours",
    )
)
_DENIALS = frozenset(
    re.findall(
        r"\w+",
        "no not never none nobody nothing without false untrue deny denies denied denying reject rejects rejected"
        " refuse refuses refused cannot",
    )
)
_CONFIRMED = "confirmed admitted true"
_DENIED = "denied false incorrect"
_CONTRARY = {
    ClaimKind.QUOTE: "never said denied misquoted",
    ClaimKind.QUANTITY: "actual number revised incorrect",
    ClaimKind.COMPARISON: "actual number revised incorrect",
    ClaimKind.CAUSAL: "other cause denied unrelated",
}
"""What a text that speaks against a claim of this kind is likely to say; for other kinds `_DENIED`."""


def plan_queries(claim: Claim, *, round: int) -> tuple[Query, ...]:  # noqa: A002 (the field of Query)
    """The queries of one round (1 is the first), without any that an earlier round has asked.

    Round 1 asks the claim itself, round 2 its keywords and what a refutation would say, each later round
    one name, number or date of the claim with its plain words. Empty when there is nothing new to ask.
    """
    if round < 1:
        raise ValueError(f"round {round!r} must be 1 or more")
    asked: set[str] = set()
    planned: list[Query] = []
    for number in range(1, round + 1):
        planned = []
        for purpose, text in _round(claim, number):
            key = normalise(text)
            if key and key not in asked:
                asked.add(key)
                planned.append(Query(claim_id=claim.id, text=text, purpose=purpose, round=number))
    return tuple(planned)


def _round(claim: Claim, number: int) -> Iterator[tuple[Purpose, str]]:
    words = _keywords(claim.text)
    if number == 1:
        yield Purpose.CLAIM, claim.text.strip()
    elif number == 2:
        yield Purpose.KEYWORDS, " ".join(words)
        subject = " ".join(words) or claim.text.strip()
        if subject:
            yield Purpose.REFUTE, f"{subject} {_contrary(claim)}"
    else:
        entity = dict(enumerate(_entities(claim.text), start=3)).get(number)
        if entity is not None:
            plain = [word for word in words if not _is_marked(word)]
            yield Purpose.KEYWORDS, " ".join([entity, *plain])


def _keywords(text: str) -> list[str]:
    """Names, numbers and the longest of the plain words, in the order of the text."""
    found = list(dict.fromkeys(word for word in _words(text) if _is_content(word)))
    plain = sorted((word for word in found if not _is_marked(word)), key=len, reverse=True)
    kept = {*[word for word in found if _is_marked(word)][:_MOST_NAMES], *plain[:_MOST_PLAIN_WORDS]}
    return [word for word in found if word in kept]


def _entities(text: str) -> list[str]:
    """Runs of names and numbers with only blanks between them, such as `19 September 2016`."""
    runs: list[str] = []
    last_end = -1
    for match in _WORD.finditer(text):
        word = _POSSESSIVE.sub("", match[0])
        if not (_is_marked(word) and _is_content(word)):
            continue
        if runs and text[last_end : match.start()] == " ":
            runs[-1] += f" {word}"
        else:
            runs.append(word)
        last_end = match.end()
    return list(dict.fromkeys(runs))


def _words(text: str) -> Iterator[str]:
    return (_POSSESSIVE.sub("", match[0]) for match in _WORD.finditer(text))


def _is_content(word: str) -> bool:
    folded = word.casefold()
    if folded in _STOP_WORDS or _is_negated_verb(folded):
        return word == "May" or (word.isupper() and len(word) > 1)  # the month; US, IT, WHO
    return len(folded) > 1 or folded.isdigit() or not folded.isascii()


def _is_marked(word: str) -> bool:
    """Whether a word looks like part of a name, number or date."""
    return any(letter.isupper() or letter.isdigit() for letter in word)


def _is_negated_verb(folded: str) -> bool:
    return folded.endswith(("n't", "n\u2019t"))


def _contrary(claim: Claim) -> str:
    folded = [word.casefold() for word in _words(claim.text)]
    is_denial = any(word in _DENIALS or _is_negated_verb(word) for word in folded)
    return _CONFIRMED if is_denial else _CONTRARY.get(claim.kind, _DENIED)
