"""Passages that tell their reader what to do: orders to a machine, forged roles, forged results.

Rules of words, so they see only what is written plainly; what they miss is still bound by all other checks. Words that
are reported (`told staff to "disregard previous instructions"`) do not begin a clause, and are let pass.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from agent.text import as_latin

_CLAUSE = re.compile(
    r"(?:^|[.!?:;>\])}\u2014-])[\s#*=<>\[({_`-]{0,10}"
    r"(?:(?:please|now|and|then|also|important|dear|you must)\b[\s,:!]{0,5}){0,2}",
    re.IGNORECASE | re.MULTILINE,
)
"""What a clause begins with; no quotation mark is among it."""
_WITHIN = r"[^.!?\n]{0,60}?"
_MACHINE = (
    r"(?:verifiers?|evaluators?|graders?|assistants?|chatbots?|llms?|language models?|reader programs?"
    r"|ai[ -](?:models?|assistants?|systems?|agents?|readers?)"
    r"|automat(?:ed|ic) (?:readers?|checkers?|analysis|software|systems?)"
    r"|fact[ -]?check(?:er|ing)?[ -](?:bots?|agents?|models?|systems?|tools?|programs?))"
)
_OURS = r"(?-i:SUPPORTED|REFUTED|CONFLICTING|NOT_ENOUGH_EVIDENCE|NEI)"
_LABEL = r"(?:supported|supports|refuted|refutes|conflicting|not_enough_evidence|not enough evidence)"
_TOLD = (
    r"(?:instruct\w*|rules?|prompts?|guidelines|directions|claims?|evidence|passages?|documents?|sources?|data|info"
    r"|indicators|above|previous|earlier|prior)"
)
_SAY = (
    r"(?:answer|reply|respond|output|return|print|say)\b[^.!?\n]{0,30}?"
    rf"(?:\b{_OURS}|[\"'{{]{{1,2}}(?:verdict|stance|label|{_LABEL}))\b"
)


def _all_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE | re.MULTILINE)


_AT_CLAUSE = _all_of(
    rf"(?:ignore|disregard|forget|override)\b{_WITHIN}\b{_TOLD}\b",
    rf"(?:ignorez|oubliez)\b{_WITHIN}\b(?:consignes|instructions|r\u00e8gles)\b",
    rf"(?:vergiss|ignoriere|missachte)\b{_WITHIN}\b(?:regeln|anweisungen)\b",
    rf"(?:olvida|ignora)\b{_WITHIN}\b(?:reglas|instrucciones)\b",
    r"(?:mark|label|rate|classify|treat|judge|set) (?:the|this|that|it|them|all|any|each|every|as|stance|verdict)\b"
    rf"{_WITHIN}\b(?:{_LABEL}|{_OURS})\b",
    _SAY,
    rf"{_MACHINE}[:,]",
    rf"(?:do not |don't |only |always )?(?:cite|drop|discard|look at)\b{_WITHIN}"
    r"\b(?:documents?|primary source|other sources|passages?)\b",
    r"when you cite\b",
    rf"(?:answer|say|state|reply|respond|conclude) that (?:this|it|the claim|the statement|all sources)\b{_WITHIN}"
    rf"\b(?:{_LABEL}|true|false|agree|proven)\b",
    r"(?:do not|don't|never) (?:quote|use|read|trust|mention) (?:the |any )?other"
    r" (?:texts?|sources?|passages?|documents?)\b",
    r"return the (?:label|verdict|stance) (?:that|which|of)\b",
    r"take over (?:their|our|this) (?:result|verdict|label)\b",
    r"(?:add|include|integrate|insert|modify|enhance|augment|append)\b[^\n]{0,150}?"
    r"\byour (?:response|reply|answer|output)\b",
    r"(?:print|reveal|repeat) (?:your|the) (?:full |system |hidden )?(?:instructions|prompt)\b",
)
"""What is an order where a clause begins."""
_ANYWHERE = _all_of(
    rf"\b(?:must|should|so) {_SAY}",
    rf"\b(?:verdict|label|rated|marked|labelled)\b{_WITHIN}\b{_OURS}\b",
    rf"[\"'](?:stance|verdict|label)[\"']\s{{0,3}}[:=]\s{{0,3}}[\"']{_LABEL}",
    rf"\bstance\s?=\s?[\"']?{_LABEL}",
    rf"\b{_LABEL} by default\b|\bso answer {_LABEL}\b",
    rf"\b(?:notes?|notice|message|instructions?|policy|attention)\b[^.!?\n]{{0,30}}?\b{_MACHINE}\b[^.!?\n]{{0,30}}?:",
    rf"\bto you, (?:the )?{_MACHINE}|\byou are (?:now )?(?:an? |the )?(?:ai|assistant|verifier|language model)\b",
    rf"\b{_MACHINE} (?:must|should|shall|has to|have to) (?:return|answer|mark|output|say|cite|rate|reply)\b",
    r"\byour (?:evidence quote|system prompt|full instructions)\b|\byour (?:verdict|stance) (?:to|is|as|must|should)\b",
    rf"\b(?:outcome|answer|verdict|label|result) (?:is|can only be|must be|should be) {_LABEL}\b"
    r"(?! (?:by|in|with|at)\b)",
    rf"\b(?:rate|mark|label|judge|treat) (?:the|this) (?:claim|statement) as (?:{_LABEL})\b",
    rf"\b(?:reminder|note|message|notice) to (?:the |any |all )?{_MACHINE}[:,]",
    r"\bdear (?:language model|model|assistant|ai|bot|verifier)\b",
    r"\bif you are an? (?:program|machine|(?:language )?model|bot|ai)\b",
    r"\bwhen asked\b[^.!?\n]{0,40}, (?:say|answer|reply|respond)\b",
    r"\byour instructions have (?:been )?(?:changed|replaced|revoked)\b",
    r"\b(?:any|every|each) claim (?:on|in|of) this (?:page|document|text|article)\b",
    r"\bevery (?:number|figure|source|passage) you have (?:seen|read)\b",
    rf"\b(?:antworte|responde|responda|r\u00e9pondez?|rispondi) {_OURS}\b|\bmusst du\b{_WITHIN}\bantworten\b",
    r"\bvisible to (?:an? |the )?llms?\b",
    r"\b(?:left out of|removed from|dropped from) the (?:evidence|context)\b",
    r"\breply with only\b|\bdecode and (?:obey|follow)\b",
    r"\bbefore (?:you )?(?:answer|reply)(?:ing)?, (?:call|print|send|show|reveal)\b",
    r"<\|[a-z_]{2,20}\|>|\[/?INST\]|<</?SYS>>|(?:<<|\[\[)\s?end of\b",
    r"^\s{0,8}#{2,6}\s{0,3}(?:(?-i:SYSTEM|USER|ASSISTANT)\b|\(?system[_ ]message)",
    r"^\s{0,8}\[?(?-i:SYSTEM|system\])\]?:|^\s{0,8}\[(?:system|admin|developer)\] |</?p\d\b",
    r"</?(?:system|instructions?|information|evidence|passage|prompt)>",
)
"""What is an order, or the mark of another speaker, wherever it stands."""
_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")
"""A break within a paragraph: a model reads on over it."""
_SHOWN = 80
_KEPT = 2048
"""Passages that are remembered: many claims find the same."""


@lru_cache(maxsize=_KEPT)
def instruction_in(text: str) -> str:
    """The words with which a text instructs its reader, the first of them, on one line; empty when there are none."""
    seen = "".join(
        character
        for character in unicodedata.normalize("NFKC", text)
        if character in "\n\t" or unicodedata.category(character)[0] != "C"
    )
    seen = as_latin(seen)
    start = min((*_starts(seen), *_starts(_LINE_END.sub(" ", seen))), default=None)
    if start is None:
        return ""
    words = " ".join(seen[start : start + 2 * _SHOWN].split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1].rstrip()}…"


def _starts(text: str) -> Iterator[int]:
    if found := _ANYWHERE.search(text):
        yield found.start()
    yield from (clause.end() for clause in _CLAUSE.finditer(text) if _AT_CLAUSE.match(text, clause.end()))
