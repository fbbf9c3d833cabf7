"""Which words of a text are matched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.words import match_terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Was the bridge closed?", ("bridge", "closed")),
        ("They didn't", ("they", "didn", "t")),
        ("The US sent it to us", ("us", "sent")),
        ("U.S. officials", ("U.S.", "US", "officials")),
        ("1,200 tonnes, 1200 tonnes", ("1,200", "1200", "tonnes")),
        ("in 2016", ("2016", "2,016")),
        ("0012 and 12.5 percent", ("0012", "12.5", "percent")),
        ("Deir ez-Zor, F-16", ("deir", "ez", "zor", "f", "16")),
        ("The Who", ("the", "who")),
        ("?!", ()),
    ],
)
def test_stop_words_go_and_names_and_numbers_stay(text, terms):
    """Each word once, with its other spellings; stop words stay only when there is nothing else."""
    assert match_terms(text) == terms


@given(st.text(max_size=300))
def test_terms_hold_no_sign_of_a_query_language(text):
    """Whatever the text, a term can stand between double quotes, and there are at most 64."""
    terms = match_terms(text)
    assert len(terms) <= 64
    assert len(set(terms)) == len(terms)
    assert all('"' not in term and term.strip() for term in terms)
