"""The few things a message can ask for, and the rules that understand the ordinary ways of asking.

A language model is asked only where the rules do not know; it too can choose nothing but one of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from agent.chat.resolve import claims_in, claims_named, documents_in, words_about
from agent.chat.state import State
from agent.domain import Data, Label, latest_day


class Tell(Data):
    """A question that code answers from the run."""

    what: str
    """One of `TOPICS`."""
    claim_id: str | None = None
    document_ids: tuple[str, ...] = ()


class Ask(Data):
    """A question in free words."""

    question: str


class Pressed(Data):
    """Somebody wants another verdict without new evidence."""

    claim_id: str | None = None


class LeaveOut(Data):
    """Do not use these documents."""

    document_ids: tuple[str, ...]


class Until(Data):
    """Use nothing published later; None lifts the limit."""

    day: date | None


class AddText(Data):
    """Take this text as a source; empty: say how."""

    text: str


class CheckAgain(Data):
    """Check these claims again; empty: all."""

    claim_ids: tuple[str, ...]


class CheckNew(Data):
    """Check a statement of the user's own."""

    text: str


class Correct(Data):
    """Keep a person's label with its reason as an evaluation case."""

    claim_id: str | None
    label: Label | None
    why: str


Action = Tell | Ask | Pressed | LeaveOut | Until | AddText | CheckAgain | CheckNew | Correct

TOPICS = (
    "against", "for", "compare", "missing", "change", "plain", "matters", "independent", "searched", "export",
    "sources", "summary", "help", "why",
)  # fmt: skip

_WORDS = (
    ("export", r"\b(export|download|share|save (it|this|the))\b"),
    ("compare", r"\bcompar|\bdifferen(ce|t) between\b|\bdisagree with each other\b|\bversus\b|\bvs\b"),
    ("change", r"\bwhat (would|could|might) (change|flip|turn|alter)|\bwould change\b"),
    ("missing", r"\bmissing\b|\black(s|ing)?\b|\bwhat (else )?(do|would) (you|we|i) need\b|\bgaps?\b"),
    ("plain", r"\blayman|\blay (person|terms)|\bsimpl[ey]|\bplain (words|english|language)|\beli5|\bexplain\b"),
    ("matters", r"\bmatters?( most)?\b|\bmost (important|serious)|\blook at first|\bbiggest (error|problem|mistake)"),
    ("independent", r"\bindependent|\borigins?\b|\bcop(y|ies|ied)\b"),
    ("against", r"\bagainst\b|\bcontradict|\bcounter|\brefut(es|ing)\b|\bother side\b|\boppos"),
    ("for", r"\b(speaks|evidence|quotes?|sources?|support) for\b|\bsupport(s|ing)\b|\bin favou?r\b|\bbacks?\b"),
    ("searched", r"\bsearch(ed)?\b|\bquer(y|ies)\b|\blook(ed)? for\b"),
    ("sources", r"\b(which|what|list|all)( the| your)? sources\b|\bsources (were )?(used|read)\b"),
    ("summary", r"\bsummar|\boverview\b|\bhow many (claims|sentences)\b|\bresults?\b|\bclaims? (is|are) (wrong|false)"),
    ("help", r"^\s*(help|hi|hello|what can (you|i) (do|ask|say))\b"),
    ("why", r"\bwhy\b|\bhow come\b|\breason|\bjustif|\bverdict\b|\btell me about claim\b"),
)  # fmt: skip
_ABOUT_WORDS = tuple((topic, re.compile(pattern, re.IGNORECASE)) for topic, pattern in _WORDS)

_LABELS = (
    (re.compile(r"\b(refuted|false|wrong|untrue)\b", re.IGNORECASE), Label.REFUTED),
    (re.compile(r"\b(supported|true|right)\b", re.IGNORECASE), Label.SUPPORTED),
    (re.compile(r"\bconflict", re.IGNORECASE), Label.CONFLICTING),
    (re.compile(r"\bnot enough|\bunproven|\bopen\b", re.IGNORECASE), Label.NOT_ENOUGH_EVIDENCE),
)
_CORRECT = re.compile(
    r"^\s*(?:i )?correct(?:ion)?\b(?P<what>.*?)(?:\b(?:because|since|as)\b|reason:|[:;–-])(?P<why>.+)|"
    r"^\s*(?:i )?correct(?:ion)?\b(?P<bare>.*)",
    re.IGNORECASE | re.DOTALL,
)
_AGAIN = re.compile(
    r"\b(?:check|verify|run|judge|try|test)\b.{0,60}?\b(?:again|anew|afresh)\b|\bre-?(?:check|run|verify|judge)\b",
    re.IGNORECASE | re.DOTALL,
)
_NEW = re.compile(
    r"^\s*(?:please )?(?:(?:check|verify|test) (?:this|my|the following)?\s*(?:new )?(?:sentence|statement|claim)"
    r"(?: of mine)?|check|verify|is it true that|is this true)\s*[:,]?\s*(?P<text>.{12,})$",
    re.IGNORECASE | re.DOTALL,
)
_ADD = re.compile(
    r"^\s*(?:here is|here's|add|take|use)\s+(?:this|another|a|one|my)?\s*(?:new |more )?"
    r"(?:source|text|evidence|document)s?(?: as (?:a )?source)?\b\s*[:.\n]?\s*(?P<text>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_OUT = re.compile(
    r"\b(?:leave|take)\b.+\bout\b|\bleave out\b|\b(?:ignore|exclude|drop|disregard)\b|\bwithout (?:the )?source",
    re.IGNORECASE | re.DOTALL,
)
_UNTIL = re.compile(
    r"\b(?:only|evidence|sources?|known|as of|nothing (?:published )?(?:later than|after))\b.{0,40}?"
    r"(?:\b(?:before|until|till|up to|by|of|after|than|from before)\b)\s+(?P<day>[\w ,-]{4,24})",
    re.IGNORECASE,
)
_ANY_DAY = re.compile(r"\b(?:all|any) dates?\b|\bno date limit\b|\blift the (?:date|limit)", re.IGNORECASE)
_PRESSURE = re.compile(
    r"\byou(?:'re| are) (?:wrong|mistaken|biased|lying|stupid)|\bi (?:strongly )?disagree\b|\badmit\b|\btrust me\b"
    r"|\b(?:change|flip|set|mark|switch|turn|make|call|declare|rate|overrule)\b.{0,60}"
    r"\b(?:verdict|label|supported|refuted|true|false|correct)\b"
    r"|\b(?:just|please) say\b|\beveryone knows\b"
    r"|\bi(?:'m| am) (?:an? |the |your )?(?:expert|editor|boss|developer|owner)"
    r"|\bas (?:your|the) (?:boss|editor|developer|owner|administrator)\b|\bsystem (?:prompt|message|override)\b"
    r"|\bignore (?:all|any|the|your|previous|prior)\b.{0,30}\b(?:instruction|rule|evidence|prompt)"
    r"|\bif you (?:do not|don't)\b|\byou (?:must|have to|should) (?:say|agree)\b"
    r"|\bi(?:'ll| will) (?:be |get )?(?:fired|sue|report)",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip


def choose(message: str, state: State) -> Action:
    """What a message asks for, by rule; `Ask` where no rule knows."""
    for rule in (_doing, _asking):
        found = rule(message, state)
        if found is not None:
            return found
    return Ask(question=message)


def _doing(message: str, state: State) -> Action | None:
    """Something is to be done."""
    for do in _DOINGS:
        found = do(message, state)
        if found is not None:
            return found
    return None


def _asking(message: str, state: State) -> Action | None:
    """Something is to be told."""
    topic, pattern = next((pair for pair in _ABOUT_WORDS if pair[1].search(message)), (None, None))
    if topic is None or pattern is None or _is_about_the_world(message, pattern, topic=topic, state=state):
        return None
    claims = claims_in(message, state)
    documents = documents_in(message, state)
    return Tell(what=topic, claim_id=claims[0] if claims else None, document_ids=documents)


def _is_about_the_world(message: str, pattern: re.Pattern[str], *, topic: str, state: State) -> bool:
    """Whether a question only happens to hold the word of a topic: it names no claim, and has words of its own."""
    if topic in {"compare", "export", "help"} or claims_named(message, state) is not None:
        return False
    return len(words_about(pattern.sub(" ", message))) >= (1 if topic in {"sources", "summary"} else 2)


def _correct(message: str, state: State) -> Action | None:
    found = _CORRECT.match(message)
    if found is None:
        return None
    what = found["what"] if found["why"] else found["bare"]
    label = next((label for pattern, label in _LABELS if pattern.search(what)), None)
    claims = claims_in(what, state)
    return Correct(claim_id=claims[0] if claims else state.subject, label=label, why=(found["why"] or "").strip())


def _press(message: str, state: State) -> Action | None:
    if not _PRESSURE.search(message) or _WHAT_IF.search(message):
        return None
    claims = claims_in(message, state)
    return Pressed(claim_id=claims[0] if claims else state.subject)


def _add(message: str, _: State) -> Action | None:
    found = _ADD.match(message)
    return AddText(text=found["text"].strip()) if found else None


def _again(message: str, state: State) -> Action | None:
    if not _AGAIN.search(message):
        return None
    if re.search(r"\b(all|every(thing)?)\b", message, re.IGNORECASE):
        return CheckAgain(claim_ids=())
    return CheckAgain(claim_ids=claims_in(message, state) or ((state.subject,) if state.subject else ()))


def _new(message: str, _: State) -> Action | None:
    found = _NEW.match(message)
    if found is None or re.search(r"\bclaim (no\.? )?\d+", message, re.IGNORECASE):
        return None
    return CheckNew(text=found["text"].strip().strip("\"“”'").strip())


def _out(message: str, state: State) -> Action | None:
    documents = documents_in(message, state)
    return LeaveOut(document_ids=documents) if _OUT.search(message) and documents else None


def _until(message: str, _: State) -> Action | None:
    if _ANY_DAY.search(message):
        return Until(day=None)
    found = _UNTIL.search(message)
    day = read_day(found["day"]) if found else None
    return Until(day=day) if day else None


_Rule = Callable[[str, State], Action | None]
_DOINGS: tuple[_Rule, ...] = (_correct, _add, _again, _new, _press, _out, _until)

_WHAT_IF = re.compile(r"^\s*(?:what|which|how|who)\b.{0,40}\b(?:would|could|might)\b", re.IGNORECASE)
_FORMS = ("%Y-%m-%d", "%d %B %Y", "%B %d %Y", "%d %b %Y", "%b %d %Y")


def read_day(text: str) -> date | None:
    """The day a text begins with: `2016-09-20`, `20 September 2016`, `September 2016` (its last day), `2016`."""
    words = text.replace(",", " ").split()
    for length in (3, 2, 1):
        piece = " ".join(re.sub(r"(?<=\d)(st|nd|rd|th)$", "", word) for word in words[:length])
        for form in _FORMS:
            try:
                return datetime.strptime(piece, form).date()  # noqa: DTZ007 (a day has no zone)
            except ValueError:
                continue
        for form, shape in (("%B %Y", "%Y-%m"), ("%b %Y", "%Y-%m"), ("%Y", "%Y")):
            try:
                return latest_day(datetime.strptime(piece, form).strftime(shape))  # noqa: DTZ007 (a day has no zone)
            except ValueError:
                continue
    return None
