"""Whether claim and quote say the same with opposite sign."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

import re

from agent.domain import Check, CheckKind
from agent.stages.checks.words import content, coverage, sentences, stem, tokens

_SHARED_WORDS = 0.6
"""Share of the claim's words that the quote's sentence must have."""
_NEGATIONS = re.compile(
    r"\b(?:not(?! only| just| merely| least|[^.;]* until)|never|none|nobody|nothing|neither|cannot|without"
    r"|fail(?:s|ed|ing)? to|den(?:y|ies|ied|ying)|refut(?:e|es|ed)|false|falsely|untrue|incorrect(?:ly)?"
    r"|mistakenly|wrongly|no longer|no(?! \d|\.|one\b| fewer| less| more| later| sooner| doubt)|\w+n't)\b",
    re.IGNORECASE,
)
_EDGE = re.compile(r"[,;:]| and | but ")
_WORDS = frozenset(stem(word) for word in "not never deny denied refute false untrue incorrect fail longer".split())


def compare_negation(claim: str, quote: str, passage_id: str) -> tuple[Check, ...]:
    """A check only when the best matching sentence has nearly the claim's words and the opposite sign.

    A claim of several sentences has several signs, so it is not checked.
    """
    if len(sentences(claim)) > 1:
        return ()
    wanted = content(claim) - _WORDS
    best = max(sentences(quote), key=lambda sentence: coverage(wanted, content(sentence)), default="")
    if len(wanted) < 2 or coverage(wanted, content(best)) < _SHARED_WORDS:
        return ()
    shared = wanted & content(best)
    here, there = _negations(claim, shared), _negations(best, shared)
    if len(here) % 2 == len(there) % 2:
        return ()
    return (
        Check(
            kind=CheckKind.NEGATION,
            claim_value=", ".join(here),
            quote_value=", ".join(there),
            agrees=False,
            passage_id=passage_id,
        ),
    )


def _negations(text: str, shared: frozenset[str]) -> list[str]:
    """Negations from the first to the last shared word, and in what leads into it."""
    found = [token for token in tokens(text) if stem(token.text) in shared]
    start = max((edge.end() for edge in _EDGE.finditer(text, 0, found[0].start)), default=0)
    return [match.group().lower() for match in _NEGATIONS.finditer(text, start) if match.end() <= found[-1].end]
