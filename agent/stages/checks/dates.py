"""Dates of a claim against dates of a quote, at the coarser precision of the two."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from agent.domain import Check, CheckKind
from agent.stages.checks.words import around, content, coverage, sentences

_MONTHS = "january february march april may june july august september october november december".split()
_SHORT = {name[:3]: number for number, name in enumerate(_MONTHS, start=1)}
_MONTH = (
    r"(?P<month>January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan\.?|Feb\.?|Mar\.?|Apr\.?|Jun\.?|Jul\.?|Aug\.?|Sept?\.?|Oct\.?|Nov\.?|Dec\.?)"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>1\d{3}|20\d\d)"
_UNIT_FOLLOWS = r" ?(?:people|km|kg|miles|metres|meters|feet|m|ft)\b"
_PERIOD = re.compile(r"\b(?:1\d{3}|20\d\d) ?(?:-|to|and) ?(?:1\d{3}|20\d\d|\d\d)\b")
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?<![\d-])(?P<year>1\d{3}|20\d\d)-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?![\d-])",
        rf"(?<!\d)(?<!\d[-.]){_DAY} (?:of )?{_MONTH},?(?: (?:of )?{_YEAR})?(?![\d])",
        rf"\b{_MONTH} (?:the )?{_DAY}(?!\d|[-.,]?\d)(?:,? (?:of |in )?{_YEAR}\b)?",
        rf"\b{_MONTH},? (?:of )?{_YEAR}\b",
        rf"(?<![\w.,$\u20ac\u00a3-]){_YEAR}(?![\w%]|[.,-]\d|-[A-Za-z]|{_UNIT_FOLLOWS})",
    )
)
_LEAD = re.compile(
    r"\b(before|after|since|by|until|till|as of|from|between|to|prior to|no later than|late|early) $",
    re.IGNORECASE,
)
_COMPARED_LEADS = frozenset({"", "since", "until"})
_SHARED_WORDS = 0.3
"""Share of the words around the claim's date that the quote's sentence must have."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A date as exact as the text says; `text` is how it is written."""

    text: str
    year: int | None
    month: int | None
    day: int | None
    lead: str
    """A word that makes it a bound (before, since, until), `period` for an edge of a period, or empty."""
    near: frozenset[str]
    """Stems of the words of its clause."""
    plain: frozenset[str]
    """The same without names, where there are other words."""
    sentence: frozenset[str]

    @property
    def precision(self) -> int:
        """How many of year, month and day are known."""
        return sum(part is not None for part in (self.year, self.month, self.day))

    def fits(self, other: Moment) -> bool:
        """Whether no part that both name is different."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(one is None or two is None or one == two for one, two in pairs)

    def equal_parts(self, other: Moment) -> int:
        """How many parts both name alike."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return sum(one is not None and one == two for one, two in pairs)

    def is_anniversary(self, other: Moment) -> bool:
        """Whether day and month are the same: two years given for one event more often than chance."""
        return self.day is not None and self.month is not None and (self.day, self.month) == (other.day, other.month)

    def shares_a_part(self, other: Moment) -> bool:
        """Whether there is a part that both name."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return any(one is not None and two is not None for one, two in pairs)


@lru_cache(maxsize=1024)
def find_dates(text: str) -> tuple[Moment, ...]:
    """All dates of a cleaned text, in order."""
    found: list[Moment] = []
    for sentence in sentences(text):
        words = content(sentence)
        found += [_moment(sentence, match, words) for match in _matches(sentence)]
    return tuple(found)


def _matches(sentence: str) -> Iterator[re.Match[str]]:
    taken: list[tuple[int, int]] = []
    found: list[re.Match[str]] = []
    for form in _FORMS:
        for match in form.finditer(sentence):
            if all(match.end() <= start or end <= match.start() for start, end in taken):
                taken.append(match.span())
                found.append(match)
    return iter(sorted(found, key=lambda match: match.start()))


def _moment(sentence: str, match: re.Match[str], words: frozenset[str]) -> Moment:
    parts = match.groupdict()
    month = parts.get("month")
    in_period = any(
        period.start() <= match.start() and match.end() <= period.end() for period in _PERIOD.finditer(sentence)
    )
    return Moment(
        text=match.group().strip(" ,"),
        year=int(parts["year"]) if parts.get("year") else None,
        month=None if month is None else (int(month) if month.isdigit() else _SHORT[month[:3].lower()]),
        day=int(parts["day"]) if parts.get("day") else None,
        lead="period" if in_period else _lead(sentence[: match.start()]),
        near=around(sentence, *match.span()),
        plain=around(sentence, *match.span(), names=False),
        sentence=words,
    )


def _lead(before: str) -> str:
    found = _LEAD.search(before)
    return found.group(1).lower().replace("till", "until") if found else ""


def compare_dates(claim: str, quote: str, passage_id: str) -> tuple[Check, ...]:
    """One check for each date of the claim that agrees, or that the quote's only free date contradicts."""
    asked, given = find_dates(claim), find_dates(quote)
    free = [there for there in given if not any(_agree(here, there) for here in asked)]
    found: list[Check] = []
    for here in asked:
        there = next((there for there in given if _agree(here, there)), None)
        rival = _rival(here, free) if there is None else None
        if there or rival:
            other = there or rival
            assert other is not None
            found.append(
                Check(
                    kind=CheckKind.DATE,
                    claim_value=here.text,
                    quote_value=other.text,
                    agrees=there is not None,
                    passage_id=passage_id,
                )
            )
    return tuple(found)


def _agree(here: Moment, there: Moment) -> bool:
    return here.shares_a_part(there) and here.fits(there)


def _rival(here: Moment, free: list[Moment]) -> Moment | None:
    """The one date of the quote that dates the same thing differently, or None."""
    comparable = [
        there for there in free if here.shares_a_part(there) and (here.near & there.near or here.is_anniversary(there))
    ]
    if len(comparable) != 1 or here.lead != comparable[0].lead or here.lead not in _COMPARED_LEADS:
        return None
    there = comparable[0]
    is_same = here.equal_parts(there) == 2 and here.precision == there.precision == 3
    return there if is_same or coverage(here.plain, there.sentence) >= _SHARED_WORDS else None
