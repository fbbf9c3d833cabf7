"""Numbers of a claim against numbers of a quote, when both count or measure the same kind of thing."""

from __future__ import annotations

from enum import Enum
from math import inf, isclose

from agent.domain import Check, CheckKind
from agent.stages.checks.quantities import Quantity, Range, find_quantities
from agent.stages.checks.units import CURRENCIES, PEOPLE
from agent.stages.checks.words import coverage

_CONVERSION = 0.02
"""Allowed between numbers in different units."""
_ROUNDING = 0.035
"""Allowed between a number and the same number rounded."""
_SHARED_WORDS = 0.3
"""Share of the words around the claim's number that the quote's sentence must have."""


class _Relation(Enum):
    AGREE = "agree"
    OPEN = "open"
    DIFFER = "differ"


def compare_numbers(claim: str, quote: str, passage_id: str) -> tuple[Check, ...]:
    """One check for each quantity of the claim that can be compared; both texts are cleaned."""
    asked, given = find_quantities(claim), find_quantities(quote)
    used = {
        index
        for index, there in enumerate(given)
        if any(_is_akin(here, there) and _relate(here, there) is _Relation.AGREE for here in asked)
    }
    free = tuple(there for index, there in enumerate(given) if index not in used)
    checks = (_check(here, given, free=free, passage_id=passage_id) for here in asked)
    return tuple(check for check in checks if check is not None)


def _check(here: Quantity, given: tuple[Quantity, ...], *, free: tuple[Quantity, ...], passage_id: str) -> Check | None:
    for there in given:
        if _is_akin(here, there) and _relate(here, there) is _Relation.AGREE:
            return _made(CheckKind.NUMBER, here, there, agrees=True, passage_id=passage_id)
    akin = [there for there in given if _is_akin(here, there)]
    rivals = [there for there in free if _is_rival(here, there)]
    if rivals and len(rivals) == len(akin) and all(_relate(here, there) is _Relation.DIFFER for there in rivals):
        kind = CheckKind.UNIT if _differs_in_unit(here, rivals[0]) else CheckKind.NUMBER
        return _made(kind, here, rivals[0], agrees=False, passage_id=passage_id)
    for there in free:
        if _differs_in_unit(here, there) and _shares_words(here, there):
            return _made(CheckKind.UNIT, here, there, agrees=False, passage_id=passage_id)
    return None


def _made(kind: CheckKind, here: Quantity, there: Quantity, *, agrees: bool, passage_id: str) -> Check:
    return Check(kind=kind, claim_value=here.text, quote_value=there.text, agrees=agrees, passage_id=passage_id)


def _is_akin(here: Quantity, there: Quantity) -> bool:
    """Whether the two could speak of the same thing: enough to let them agree."""
    if here.measure or there.measure:
        return here.measure == there.measure
    if here.role and there.role and here.role != there.role:
        return False
    if here.thing == there.thing:
        return bool(here.thing)
    return bool(here.role) and here.role == there.role and _is_person(here) and _is_person(there)


def _is_rival(here: Quantity, there: Quantity) -> bool:
    """Whether the two surely speak of the same thing: enough to let them differ."""
    if not _is_akin(here, there) or here.role != there.role or not _shares_words(here, there):
        return False
    if here.measure:
        return True
    general = {"person", "dead", "wound"}
    return here.thing == there.thing or (here.thing in general and there.thing in general)


def _is_person(quantity: Quantity) -> bool:
    return quantity.thing in PEOPLE or not quantity.thing


def _shares_words(here: Quantity, there: Quantity) -> bool:
    """Whether sentence and surroundings show that both say the same about it."""
    near = (here.near & there.near) - {here.thing}
    return bool(near) and coverage(here.plain, there.sentence) >= _SHARED_WORDS


def _differs_in_unit(here: Quantity, there: Quantity) -> bool:
    """The same figure in another unit of the same kind: 45 km and 45 miles, 3 dollars and 3 euros."""
    if not here.unit or not there.unit or here.unit == there.unit or here.figure != there.figure:
        return False
    return here.measure == there.measure or {here.measure, there.measure} <= CURRENCIES


def _relate(here: Quantity, there: Quantity) -> _Relation:
    """The most favourable relation over all readings of both."""
    is_loose = here.is_about or there.is_about
    tolerance = _CONVERSION if here.unit != there.unit else 0.0
    found = {
        _relate_ranges(one, other, tolerance=tolerance, is_loose=is_loose)
        for one in here.readings
        for other in there.readings
    }
    return next(relation for relation in (_Relation.AGREE, _Relation.OPEN, _Relation.DIFFER) if relation in found)


def _relate_ranges(here: Range, there: Range, *, tolerance: float, is_loose: bool) -> _Relation:
    if here.low == here.high and there.low == there.high:
        return _relate_points(here.low, there.low, tolerance=tolerance)
    if _base(here) == _base(there) and not _is_opposed(here, there):
        return _Relation.OPEN if there.low == there.high and not is_loose else _Relation.AGREE
    slack = tolerance * max(abs(_base(here)), abs(_base(there)))
    if here.low - slack <= there.low and there.high <= here.high + slack:
        return _Relation.AGREE
    if max(here.low, there.low) - min(here.high, there.high) > slack or _is_opposed(here, there):
        return _Relation.DIFFER
    return _Relation.AGREE if is_loose and _is_closed(here) and _is_closed(there) else _Relation.OPEN


def _is_closed(values: Range) -> bool:
    return values.low > -inf and values.high < inf


def _relate_points(here: float, there: float, *, tolerance: float) -> _Relation:
    if isclose(here, there, rel_tol=max(tolerance, 1e-9)):
        return _Relation.AGREE
    if not isclose(here, there, rel_tol=_ROUNDING):
        return _Relation.DIFFER
    if float(f"{there:.{_digits(here)}g}") == here:
        return _Relation.AGREE
    return _Relation.OPEN if float(f"{here:.{_digits(there)}g}") == there else _Relation.DIFFER


def _digits(value: float) -> int:
    """How many leading digits of a number say something: 88,000 has two."""
    return max(len(f"{abs(value):.9g}".partition("e")[0].replace(".", "").strip("0")), 1)


def _base(values: Range) -> float:
    return values.low if values.low > -inf else values.high


def _is_opposed(here: Range, there: Range) -> bool:
    """Whether one says more and the other less than values that do not overlap."""
    return (here.high == inf and there.low == -inf and there.high <= here.low) or (
        there.high == inf and here.low == -inf and here.high <= there.low
    )
