"""Dates: forms, precision, and when the quote's date contradicts the claim's."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.stages.checks.dates import compare_dates, find_dates
from agent.stages.checks.words import clean


def agreement(claim: str, quote: str) -> list[bool]:
    """Whether each compared date agrees."""
    return [check.agrees for check in compare_dates(clean(claim), clean(quote), "p")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 17 September 2016", (2016, 9, 17)),
        ("on September 17th, 2016", (2016, 9, 17)),
        ("on the 17th of September 2016", (2016, 9, 17)),
        ("on Sept. 17, 2016", (2016, 9, 17)),
        ("on 2016-09-17", (2016, 9, 17)),
        ("on 17 September", (None, 9, 17)),
        ("in September 2016", (2016, 9, None)),
        ("in September, 2016", (2016, 9, None)),
        ("in 2016", (2016, None, None)),
    ],
)
def test_forms(text: str, expected: tuple[int | None, int | None, int | None]) -> None:
    """The usual English forms and ISO dates are read as exactly as they say."""
    (found,) = find_dates(text)
    assert (found.year, found.month, found.day) == expected


@pytest.mark.parametrize("text", ["yesterday", "62 people", "2016 people", "the 1990s", "$2016", "may come", "3.2016"])
def test_what_is_no_date(text: str) -> None:
    """Relative words, amounts and decades are not dates."""
    assert find_dates(text) == ()


OPENED = "The bridge was opened {}."


@pytest.mark.parametrize(
    ("claimed", "said", "expected"),
    [
        ("on 17 September 2016", "on September 17, 2016", [True]),
        ("on 17 September 2016", "in September 2016", [True]),
        ("in 2016", "on 17 September 2016", [True]),
        ("on 17 September 2016", "on 18 September 2016", [False]),
        ("on 17 September 2016", "on 17 September 2017", [False]),
        ("in August 2016", "on 17 September 2016", [False]),
        ("in 2015", "in 2016", [False]),
        ("in 2015", "in 2016 and closed in 2015", [True]),
        ("in 2015", "in 2016 and opened again in 2017", []),
        ("before 2015", "in 2016", []),
        ("since 2010", "since 2003", [False]),
        ("in 2015", "last year", []),
        ("on 17 September", "in 2016", []),
    ],
)
def test_comparison(claimed: str, said: str, expected: list[bool]) -> None:
    """Dates are compared at the coarser precision; bounds and several candidates decide nothing."""
    assert agreement(OPENED.format(claimed), OPENED.format(said)) == expected


def test_a_date_of_something_else_is_no_contradiction() -> None:
    """The quote must date what the claim dates."""
    assert agreement("The bridge was opened in 2015.", "Ondra became a town in 1871.") == []


def test_a_date_that_answers_another_one_is_no_rival() -> None:
    """The birth that agrees does not contradict the death."""
    claim = "The builder was born in 1801 and died in 1866."
    assert agreement(claim, "The builder was born in 1801.") == [True]


@given(st.dates(min_value=date(1000, 1, 1), max_value=date(2099, 1, 1)))
def test_every_form_of_a_day_is_the_same_day(day: date) -> None:
    """Written in any form, a day agrees with itself."""
    forms = [f"{day:%Y-%m-%d}", f"{day:%d %B %Y}", f"{day:%B %d, %Y}", f"{day:%B %Y}", f"{day:%Y}"]
    for form in forms:
        assert agreement(OPENED.format(f"on {forms[0]}"), OPENED.format(f"on {form}")) == [True]
