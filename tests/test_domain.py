"""Invariants of the data types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.domain import (
    Citation,
    Document,
    Evidence,
    Span,
    Stance,
    Usage,
    claim_id,
    latest_day,
    passage_of,
    short_hash,
    text_sha256,
)
from tests.build import document

TEXTS = st.text(min_size=1, max_size=200)


@st.composite
def text_and_span(draw):
    text = draw(TEXTS)
    start = draw(st.integers(0, len(text) - 1))
    return text, Span(start=start, end=draw(st.integers(start + 1, len(text))))


@given(text_and_span())
def test_a_passage_is_the_slice_of_its_document(case):
    """`text == document.text[start:end]`, and the id is derived."""
    text, span = case
    source = document(text)
    passage = passage_of(source, span)
    assert passage.text == text[span.start : span.end] == span.of(text)
    assert passage == passage_of(source, span)


@given(text_and_span(), text_and_span())
def test_ids_differ_when_what_they_are_made_of_differs(one, other):
    """Two places are two ids; the same place is one."""
    (text, first), (_, second) = one, other
    if second.end <= len(text):
        source = document(text)
        assert (passage_of(source, first).id == passage_of(source, second).id) == (first == second)


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_spans_are_half_open_and_not_empty(start, end):
    """`0 <= start < end`, or an error."""
    if 0 <= start < end:
        assert Span(start=start, end=end)
    else:
        with pytest.raises(ValidationError):
            Span(start=start, end=end)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=3))
def test_hashes_keep_their_parts_apart(one, other):
    """("ab", "c") is not ("a", "bc")."""
    if not any("\x1f" in part for part in one + other):
        assert (short_hash(*one) == short_hash(*other)) == (one == other)


@given(TEXTS)
def test_a_claims_id_ignores_case_and_spacing_only(text):
    """Same claim, same sentence, same id."""
    assert claim_id(f"  {text}\n", 1) == claim_id(text, 1)
    assert claim_id(text, 1) != claim_id(text, 2)


@pytest.mark.parametrize(
    ("partial", "day"), [("2016", "2016-12-31"), ("2016-02", "2016-02-29"), ("2016-09-18", "2016-09-18")]
)
def test_a_partial_date_may_be_as_late_as_its_last_day(partial, day):
    """So nothing that might be later passes a date limit."""
    assert latest_day(partial).isoformat() == day


@pytest.mark.parametrize("published", ["2016-13", "2016-02-30", "16", "September 2016", ""])
def test_dates_that_do_not_exist_are_refused(published):
    """Unknown is None, not a guess."""
    with pytest.raises(ValidationError):
        document("x", published=published)


def test_a_documents_hash_must_be_that_of_its_text():
    """A changed text under an old hash is refused."""
    with pytest.raises(ValidationError, match="sha256"):
        Document(id="d", text="new", sha256=text_sha256("old"))


def test_a_stance_without_a_citation_is_refused():
    """Evidence that supports or refutes names its words."""
    source = document("x")
    with pytest.raises(ValidationError, match="needs a citation"):
        Evidence(
            claim_id="c", passage_id="p", document_id=source.id, span=Span(start=0, end=1), origin="o",
            stance=Stance.SUPPORTS,
        )  # fmt: skip


def test_a_quote_must_have_the_length_of_its_span():
    """A citation cannot be longer than its place."""
    with pytest.raises(ValidationError, match="length"):
        Citation(document_id="d", span=Span(start=0, end=3), quote="four", stance=Stance.SUPPORTS)


def test_costs_add_up_and_unknown_is_not_nothing():
    """None plus None stays unknown."""
    assert (Usage(cost=None) + Usage(cost=None)).cost is None
    assert (Usage(cost=0.5, model_calls=1) + Usage(cost=None, model_calls=2)).model_dump()["model_calls"] == 3
