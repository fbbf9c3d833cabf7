"""Numbers: parsing, comparators, units, and what counts as a difference."""

from math import inf

import pytest

from agent.domain import CheckKind
from agent.stages.checks.numbers import compare_numbers
from agent.stages.checks.quantities import Range, find_quantities
from agent.stages.checks.words import clean


def ranges(text: str) -> list[tuple[float, float]]:
    """First reading of every quantity of the text."""
    return [(quantity.readings[0].low, quantity.readings[0].high) for quantity in find_quantities(clean(text))]


def agreement(claim: str, quote: str) -> list[bool]:
    """Whether each compared number agrees."""
    return [check.agrees for check in compare_numbers(clean(claim), clean(quote), "p")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("62 soldiers", (62, 62)),
        ("1,234 people", (1234, 1234)),
        ("1\u202f234 people", (1234, 1234)),
        ("1'234 people", (1234, 1234)),
        ("1234 people", (1234, 1234)),
        ("1.234.567 people", (1234567, 1234567)),
        ("3,5 percent", (3.5, 3.5)),
        ("0.125 percent", (0.125, 0.125)),
        ("twenty-five weeks ago", (25 * 604800, 25 * 604800)),
        ("two hundred and fifty-three thousand people", (253000, 253000)),
        ("a million people", (1e6, 1e6)),
        ("3.125 million people", (3.125e6, 3.125e6)),
        ("$4.5m", (4.5e6, 4.5e6)),
        ("15k soldiers", (15000, 15000)),
        ("2 lakh people", (2e5, 2e5)),
        ("60+ soldiers", (60, inf)),
        ("more than 60 soldiers", (60, inf)),
        ("at least sixty soldiers", (60, inf)),
        ("60 or more soldiers", (60, inf)),
        ("under 60 soldiers", (-inf, 60)),
        ("no more than 60 soldiers", (-inf, 60)),
        ("about 60 soldiers", (54, 66)),
        ("some 60 soldiers", (54, 66)),
        ("between 83 and 90 soldiers", (83, 90)),
        ("15\u201320 soldiers", (15, 20)),
        ("3 to 4 million people", (3e6, 4e6)),
        ("a 5-mile road", (8046.72, 8046.72)),
        ("50 \u00b0F", (10, 10)),
        ("2\u00bd hours", (9000, 9000)),
    ],
)
def test_quantities_are_read(text: str, expected: tuple[float, float]) -> None:
    """Spellings, comparators, ranges, multipliers and units become values in base units."""
    found = ranges(text)
    assert len(found) == 1
    assert found[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "on 17 September 2016",
        "September 17, 2016",
        "17-19 September",
        "in 1987 and 2016",
        "from 2001-2006",
        "the 21st century",
        "the 1990s",
        "the F-35 and COVID-19",
        "a trip on Apollo 11",
        "at 10:30",
        "won 5-2",
        "season 3",
        "no one came, one of them left",
        "9/11",
        "version 3.2.1b",
        "dozens of people",
    ],
)
def test_what_is_no_quantity_is_left_out(text: str) -> None:
    """Dates, ordinals, decades, codes, labels, times, scores and pronouns are not quantities."""
    assert ranges(text) == []


def test_an_ambiguous_spelling_keeps_both_readings() -> None:
    """88.000 may be 88 or 88,000: it agrees with both and is only wrong when neither fits."""
    found = find_quantities("88.000 passengers")[0]
    assert found.readings == (Range(88, 88), Range(88000, 88000))
    quote = "The ferry carried 88.000 passengers."
    assert agreement("The ferry carried 88,000 passengers.", quote) == [True]
    assert agreement("The ferry carried 88 passengers.", quote) == [True]
    assert agreement("The ferry carried 41,200 passengers.", quote) == [False]


STRIKE = "The strike killed {} near the airport."


@pytest.mark.parametrize(
    ("claimed", "said", "expected"),
    [
        ("62 soldiers", "62 servicemen", [True]),
        ("62 soldiers", "83 troops", [False]),
        ("more than 60 soldiers", "62 troops", [True]),
        ("more than 60 soldiers", "at least 83 soldiers", [True]),
        ("more than 60 soldiers", "15 soldiers", [False]),
        ("more than 60 soldiers", "60 soldiers", []),
        ("fewer than 60 soldiers", "more than 60 soldiers", [False]),
        ("at least 60 soldiers", "more than 60 soldiers", [True]),
        ("about 60 soldiers", "62 soldiers", [True]),
        ("about 60 soldiers", "83 soldiers", [False]),
        ("62 soldiers", "nearly 65 soldiers", [True]),
        ("62 soldiers", "at least 62 soldiers", [True]),
        ("between 83 and 90 soldiers", "85 soldiers", [True]),
        ("85 soldiers", "between 83 and 90 soldiers", []),
        ("95 soldiers", "between 83 and 90 soldiers", [False]),
        ("62 soldiers", "62 soldiers and 9 civilians", [True]),
        ("62 soldiers", "9 civilians", []),
        ("62 people", "83 people", [False]),
        ("twelve soldiers", "12 soldiers", [True]),
    ],
)
def test_comparators_and_counted_things(claimed: str, said: str, expected: list[bool]) -> None:
    """Numbers differ only when they count the same thing and their values cannot both hold."""
    assert agreement(STRIKE.format(claimed), STRIKE.format(said)) == expected


@pytest.mark.parametrize(
    ("claim", "quote", "expected"),
    [
        ("The road is 10 miles long.", "The road is 16.1 km long.", [True]),
        ("The road is 10 miles long.", "The road is 25 km long.", [False]),
        ("The flight took 2 hours.", "The flight took 120 minutes.", [True]),
        ("The load weighed 3 tonnes.", "The load weighed 3,000 kg.", [True]),
        ("The road is 3 km long.", "The road cost 9 million crowns.", []),
        ("The ferry moves at 40 km/h.", "The ferry moves 40 km.", []),
        ("The sea rises 3.2 mm per year.", "The sea rises 3.2 mm/yr.", [True]),
        ("Its share rose by 5 percentage points.", "Its share rose to 24 percent.", []),
        ("The repair cost 3 million crowns.", "The repair cost 3.1 million crowns.", [True]),
        ("The repair cost 3.1 million crowns.", "The repair cost 3.1 billion crowns.", [False]),
        ("The works had 320 employees.", "The works had 190 staff.", [False]),
        ("The bridge stands 40 metres high.", "In spring the town counted 40 storks and 90 metres of snow.", []),
    ],
)
def test_units(claim: str, quote: str, expected: list[bool]) -> None:
    """Units of one measure are converted; other measures and other topics are not compared."""
    assert agreement(claim, quote) == expected


def test_dead_and_wounded_are_kept_apart() -> None:
    """A number of wounded does not contradict a number of dead."""
    quote = "62 servicemen were killed and 100 servicemen were wounded in the strike"
    assert agreement("The strike wounded 100 soldiers.", quote) == [True]
    assert agreement("The strike killed 100 soldiers.", "In the strike 62 soldiers were wounded.") == []


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The road is 45 km long.", "The road is 45 miles long."),
        ("The road cost 45 dollars a metre.", "The road cost 45 euros a metre."),
    ],
)
def test_the_same_figure_in_another_unit_is_a_unit_mismatch(claim: str, quote: str) -> None:
    """Same number, other unit: the check says so."""
    (check,) = compare_numbers(claim, quote, "p")
    assert (check.kind, check.agrees) == (CheckKind.UNIT, False)


def test_a_number_that_answers_another_one_is_no_rival() -> None:
    """A quote's number that agrees with one number of the claim does not contradict another."""
    claim = "Two of the four lanes of the bridge were closed."
    assert agreement(claim, "Four lanes of the bridge were closed.") == [True]
    assert agreement(claim, "Two of the four lanes of the bridge were closed.") == [True, True]
