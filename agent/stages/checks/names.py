"""Names of a claim against a quote: all there, or one put in the place of another."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

from agent.domain import Check, CheckKind
from agent.stages.checks.words import STOP_WORDS, Token, coverage, sentences, stem, tokens

_SHARED_WORDS = 0.7
_AS_LONG = 1.5
_LONGEST = 4
"""Words of an exchanged place; more is another wording."""
_NOT_NAMES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday mr mrs ms dr".split()
)


def compare_names(claim: str, quote: str, passage_id: str, *, context: str = "") -> tuple[Check, ...]:
    """One check: every name of the claim stands in quote or context, or one is exchanged for another."""
    names = find_names(claim)
    if not names:
        return ()
    known = frozenset(_key(token.text) for token in (*tokens(quote), *tokens(context)))
    if all(_key(name.text) in known for name in names):
        text = ", ".join(dict.fromkeys(name.text for name in names))
        return (Check(kind=CheckKind.NAME, claim_value=text, quote_value=text, agrees=True, passage_id=passage_id),)
    for sentence in sentences(quote):
        exchanged = _exchanged(claim, sentence, known)
        if exchanged:
            here, there = exchanged
            return (
                Check(kind=CheckKind.NAME, claim_value=here, quote_value=there, agrees=False, passage_id=passage_id),
            )
    return ()


@lru_cache(maxsize=1024)
def find_names(text: str) -> tuple[Token, ...]:
    """Capitalised words of a cleaned text that are not capitalised only because a sentence begins."""
    found: list[Token] = []
    firsts = {tokens(sentence)[0].text for sentence in sentences(text) if tokens(sentence)}
    for index, token in enumerate(tokens(text)):
        is_first = index == 0 or token.text in firsts
        if _is_capitalised(token) and (not is_first or token.text[1:2].isupper()):
            found.append(token)
    return tuple(found)


def _is_capitalised(token: Token) -> bool:
    if len(token.lower) < 2 or not token.text[0].isupper():
        return False
    return token.text.isupper() or (token.lower not in STOP_WORDS and token.lower not in _NOT_NAMES)


def _key(word: str) -> str:
    return stem(word.removesuffix("'s"))


def _exchanged(claim: str, sentence: str, known: frozenset[str]) -> tuple[str, str] | None:
    """The first pair of names that stand in each other's place in nearly the same wording."""
    ours, theirs = tokens(claim), tokens(sentence)
    our_keys, their_keys = [_key(token.text) for token in ours], [_key(token.text) for token in theirs]
    if not _is_same_wording(ours, theirs):
        return None
    matcher = SequenceMatcher(None, our_keys, their_keys, autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag != "replace" or end - start > _LONGEST or other_end - other_start > 2 * _LONGEST:
            continue
        here = [token.text for token in ours[start:end] if _is_capitalised(token)]
        there = [token.text for token in theirs[other_start:other_end] if _is_capitalised(token)]
        if here and there and not any(_key(word) in known for word in here) and not _may_be_same(here, there):
            return " ".join(here), " ".join(there)
    return None


def _is_same_wording(ours: tuple[Token, ...], theirs: tuple[Token, ...]) -> bool:
    """Whether the sentence has nearly all words of the claim that carry meaning, or all words and little else."""
    shared = coverage(_keys(ours, STOP_WORDS), _keys(theirs, STOP_WORDS))
    is_as_long = len(theirs) <= _AS_LONG * len(ours)
    return shared >= _SHARED_WORDS or (is_as_long and coverage(_keys(ours), _keys(theirs)) >= _SHARED_WORDS)


def _keys(words: tuple[Token, ...], without: frozenset[str] = frozenset()) -> frozenset[str]:
    return frozenset(_key(token.text) for token in words if token.lower not in without)


def _may_be_same(here: list[str], there: list[str]) -> bool:
    """Initials, abbreviations, demonyms and spellings may name the same: better silent than wrong."""
    one, other = "".join(here).lower(), "".join(there).lower()
    if one[:4] == other[:4] or one in other or other in one:
        return True
    initials = {"".join(word[0] for word in words).lower() for words in (here, there)}
    return one in initials or other in initials or SequenceMatcher(None, one, other).ratio() >= 0.85
