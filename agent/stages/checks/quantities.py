"""Find the quantities of a text: value with comparator, unit, and the thing that is counted."""

# ruff: noqa: SIM905  (word lists read better as text)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from agent.stages.checks.numerals import NUMBER, SIGN, scale_of, values_of
from agent.stages.checks.units import AMBIGUOUS, PEOPLE, PHRASES, SIGNS, UNITS, Unit, counted_thing
from agent.stages.checks.words import STOP_WORDS, around, content, sentences, stem, tokens

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_MORE = (
    "more than|over|above|exceeding|exceeded|exceeds|greater than|larger than|upwards of|in excess of|at least"
    "|no fewer than|no less than|not less than|a minimum of|minimum of|>|\u2265"
)
_LESS = (
    "less than|fewer than|lower than|under|below|up to|at most|no more than|not more than|a maximum of|maximum of"
    "|as many as|as much as|<|\u2264"
)
_ABOUT = (
    "about|around|approximately|approx\\.?|roughly|some|circa|ca\\.|c\\.|~|\u2248|an estimated|estimated|close to"
    "|nearly|almost|just over|just under|slightly over|slightly under|slightly more than|slightly less than|average of"
)
_QUANTITY = re.compile(
    rf"(?:(?P<between>\bbetween )|(?P<about>(?<!\w)(?:{_ABOUT}) ?)|(?P<more>(?<!\w)(?:{_MORE}) ?)"
    rf"|(?P<less>(?<!\w)(?:{_LESS}) ?))?"
    rf"(?<![\w.,:/^#])(?P<first>{NUMBER})"
    rf"(?:(?P<joint> ?%? ?(?:-| to | and )) ?(?P<second>{NUMBER}))?"
    r"(?P<plus>\+| or more\b| or (?:fewer|less)\b)?",
    re.IGNORECASE,
)
_LABELS = frozenset(
    "season chapter episode article section figure table resolution flight route highway phase level type no number "
    "page vol volume part grade version division group room size war act step stage line unit building interstate "
    "class model round week day game rule amendment channel zone bowl psalm verse mark serie".split()
)
_TIME_LEADS = frozenset("in since by until till from during of the circa around after before mid early late to".split())
_NO_ONE = frozenset("no any every each this that the which some only another day of in one".split())
_RATE = re.compile(
    r" ?(?:/|per |a |an |each |every )(second|minute|hour|day|week|month|year|yr|decade|century|capita|person)s?\b"
)
_AGE = re.compile(r"[- ]years?[- ](?:old|of age)\b")
_OF = re.compile(
    r"^ of (?:(?:the|its|his|her|their|these|those) )?"
    r"(?:(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve) )?"
)
"""Between a number and what it counts: two of the four lanes."""
_ADJACENT_MONTH = re.compile(
    rf"^(?:-\d+)?(?:st|nd|rd|th)? ?(?:of )?(?:{MONTHS}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b)"
)
_AFTER_MONTH = re.compile(
    rf"(?:{MONTHS}|\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?)(?: the)?,? ?(?:\d+ ?- ?)?$"
)


@dataclass(frozen=True, slots=True)
class Range:
    """The values a quantity can mean; a plain number is a range of one."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of a text, in base units."""

    text: str
    figure: float
    """The number as written, before conversion; the first one of a range."""
    readings: tuple[Range, ...]
    """More than one when the spelling is ambiguous: 88.000 is 88 or 88,000."""
    is_about: bool
    measure: str
    """What is measured: length, USD, percent/year; empty for things that are counted."""
    unit: str
    thing: str
    """What is counted, as a stem or the name of a group of synonyms; empty when unknown."""
    role: str
    """Of counted people: dead, wound, or empty."""
    near: frozenset[str]
    """Stems of the words of its clause."""
    plain: frozenset[str]
    """The same without names, where there are other words."""
    sentence: frozenset[str]
    """Stems of all words of its sentence."""


@lru_cache(maxsize=1024)  # a claim is compared with one quote after another
def find_quantities(text: str) -> tuple[Quantity, ...]:
    """All quantities of a cleaned text in order; years, days of dates, ordinals, labels and scores are none."""
    found: list[Quantity] = []
    for sentence in sentences(text):
        words = content(sentence)
        for match in _QUANTITY.finditer(sentence):
            quantity = _read(sentence, match, words)
            if quantity is not None:
                found.append(quantity)
    return tuple(found)


def _read(sentence: str, match: re.Match[str], words: frozenset[str]) -> Quantity | None:
    end = match.end()
    unit, end = _unit(sentence, match)
    if unit is None and not _is_counted(sentence, match):
        return None
    ranges = _ranges(match)
    if not ranges or _ends_badly(sentence, match, unit):
        return None
    rate = _RATE.match(sentence, end)
    measure = unit.measure if unit else ""
    if measure and rate:
        measure += "/" + rate.group(1).replace("yr", "year")
    thing = "" if unit else _thing(sentence, match.end())
    return Quantity(
        text=sentence[match.start() : max(end, match.end())].strip(),
        figure=ranges[0].low if ranges[0].low > -inf else ranges[0].high,
        readings=tuple(_convert(reading, unit) for reading in ranges),
        is_about=bool(match["about"]),
        measure=measure,
        unit=unit.name if unit else "",
        thing=thing or ("" if unit else _thing_before(sentence, match.start())),
        role=_role(sentence, match, thing),
        near=around(sentence, match.start(), max(end, match.end())),
        plain=around(sentence, match.start(), max(end, match.end()), names=False),
        sentence=words,
    )


def _convert(reading: Range, unit: Unit | None) -> Range:
    if unit is None:
        return reading
    return Range((reading.low + unit.offset) * unit.factor, (reading.high + unit.offset) * unit.factor)


def _ranges(match: re.Match[str]) -> tuple[Range, ...]:
    """The readings of the number or range, with its comparator applied."""
    joint = (match["joint"] or "").strip()
    first, second = values_of(match["first"]), values_of(match["second"] or "")
    if joint == "and" and not match["between"]:
        second = ()
    if second:
        scale = scale_of(match["second"])
        low = first[0] * (scale if scale_of(match["first"]) == 1 and scale > 1 else 1)
        return (Range(low, second[0]),) if low < second[0] else ()
    return tuple(_compared(value, match) for value in first)


def _compared(value: float, match: re.Match[str]) -> Range:
    plus = (match["plus"] or "").strip().lower()
    if match["more"] or plus in {"+", "or more"}:
        return Range(value, inf)
    if match["less"] or plus:
        return Range(-inf, value)
    if match["about"]:
        return Range(value * 0.9, value * 1.1)
    return Range(value, value)


def _unit(sentence: str, match: re.Match[str]) -> tuple[Unit | None, int]:
    """The unit behind (or the currency sign before) the number, and where it ends."""
    signed = re.search(rf"{SIGN}", match["first"])
    if signed:
        return UNITS[SIGNS[signed.group()[-1]]], match.end()
    rest = sentence[match.end() :]
    blank = re.match(r"[ -]?", rest)
    lead = blank.end() if blank else 0
    following = rest[lead:].lower()
    for phrase, unit in PHRASES.items():
        if re.match(rf"{re.escape(phrase)}(?!\w)", following):
            return unit, match.end() + lead + len(phrase)
    word = re.match(r"%|\u00b0 ?[cf]?\b|[^\W\d_]+", following)
    if not word:
        return None, match.end()
    spelling = word.group().replace(" ", "")
    if _AGE.match(rest):
        return Unit("years old", "age"), match.end() + lead + word.end()
    if spelling in AMBIGUOUS and not match["first"][-1].isdigit():
        return None, match.end()
    unit_found = UNITS.get(spelling)
    return unit_found, match.end() + (lead + word.end() if unit_found else 0)


def _ends_badly(sentence: str, match: re.Match[str], unit: Unit | None) -> bool:
    """Whether the characters around show that this is no quantity: a time, an ordinal, a code, a date."""
    rest, lead = sentence[match.end() :], sentence[: match.start("first")]
    if re.match(r"[:/\u2044]\d|-?(?:st|nd|rd|th|s)\b|\^|'s\b|\.\d|,\d{3}", rest):
        return True
    if rest[:1].isalpha() and unit is None:
        return True
    return bool(
        _ADJACENT_MONTH.match(rest.lstrip())
        or (len(match["first"]) <= 2 and _AFTER_MONTH.search(lead))
        or re.search(r"[^\W\d_]-$|\d-$|\d:$", lead)
    )


def _is_counted(sentence: str, match: re.Match[str]) -> bool:
    """Whether a number without a unit counts something: no year, label, or pronoun `one`."""
    before = tokens(sentence[: match.start("first")])
    last = before[-1] if before and sentence[before[-1].end : match.start("first")] in {" ", "-"} else None
    number = match["first"]
    if number.lower() == "one":
        follows = tokens(sentence[match.end() : match.end() + 30])
        return not (last and last.lower in _NO_ONE) and bool(follows) and follows[0].lower not in STOP_WORDS
    if _is_year(sentence, match, last.lower if last else ""):
        return False
    if last is None or match["about"] or match["more"] or match["less"]:
        return True
    if stem(last.text) in _LABELS:
        return False
    is_name = last.text[0].isupper() and last.lower not in STOP_WORDS and number[0].isdigit()
    return not is_name or (len(before) == 1 and bool(_thing(sentence, match.end())))


def _is_year(sentence: str, match: re.Match[str], last: str) -> bool:
    number = match["first"]
    if not re.fullmatch(r"1\d{3}|20\d\d|2100", number):
        return False
    if match["second"] and len(match["second"]) in {2, 4} and match["second"].isdigit():
        return True
    if match["more"] or match["plus"] or (match["less"] and last not in _TIME_LEADS):
        return False
    thing = _thing(sentence, match.end())
    return last in _TIME_LEADS or not (thing in PEOPLE or _plural_follows(sentence, match.end()))


def _plural_follows(sentence: str, end: int) -> bool:
    return bool(re.match(r" [a-z]{3,}s\b(?<!ss)(?<!us)(?<!is)(?<!was)(?<!has)", sentence[end:]))


def _run(sentence: str, end: int) -> Iterator[str]:
    """The words behind a number up to the first stop word or punctuation mark."""
    rest = _OF.sub(" ", sentence[end : end + 120])
    place = 0
    for count, token in enumerate(tokens(rest)):
        gap = rest[place : token.start]
        if gap not in {" ", "-", "", "'s "} or token.lower in STOP_WORDS or count >= 5:
            return
        if token.text[0].isdigit():
            return
        yield token.text
        place = token.end


def _thing(sentence: str, end: int) -> str:
    """What the number counts: the first plural or known noun behind it, else the first word."""
    run = list(_run(sentence, end))
    for word in run:
        named = counted_thing(word)
        if named in PEOPLE or (word.endswith("s") and not word.endswith(("ss", "us", "is", "ous"))):
            return named
    return counted_thing(run[-1]) if run and len(run) <= 2 else ""


def _thing_before(sentence: str, start: int) -> str:
    """What a bare number counts, said before it: `population of`, `killed`."""
    found = re.search(
        r"([^\W\d_]+) (?:of |was |is |were |to |at |totalled |totaled |reached |: |stood at |came to )?$",
        sentence[:start],
    )
    if not found or found.group(1).lower() in STOP_WORDS:
        return ""
    return counted_thing(found.group(1))


def _role(sentence: str, match: re.Match[str], thing: str) -> str:
    """Whether the counted people are said to be dead or wounded, by the nearest such word."""
    if thing in {"dead", "wound"}:
        return thing
    after = [counted_thing(token.text) for token in tokens(re.split(r"[,;.]| and ", sentence[match.end() :])[0])[:8]]
    before = [counted_thing(token.text) for token in tokens(re.split(r"[,;]", sentence[: match.start()])[-1])[-5:]]
    for word in (*after, *reversed(before)):
        if word in {"dead", "wound"}:
            return word
    return ""
