"""CSV and ClaimReview."""

import csv
import io
import json

import pytest

from agent.domain import Claim, Ledger
from agent.report.contract import State
from agent.report.tables import COLUMNS, to_claimreview, to_csv
from tests.report.sample import HOSTILE, sample_result


def rows(result):
    return list(csv.DictReader(io.StringIO(to_csv(result))))


def test_one_row_a_claim():
    """Every claim is a row, the failed one and the one not reached too."""
    table = rows(sample_result())
    assert [row["number"] for row in table] == [str(number) for number in range(1, 11)]
    assert {row["state"] for row in table} == set(State)
    assert tuple(table[0]) == COLUMNS


def test_row():
    """A row tells verdict, confidence, citations, origins and the first quote with its source."""
    row = rows(sample_result())[3]
    assert (row["label"], row["confidence"], row["abstained"]) == ("refuted", "0.91", "false")
    assert (row["citations"], row["origins"], row["checks_differing"], row["dropped_citations"]) == (
        "2",
        "1",
        "1",
        "1",
    )
    assert row["first_quote"] == "The building cost 87 million crowns"
    assert row["first_quote_url"] == "https://sources.example/wire?a=1&b=2"


def test_failure_row():
    """A failure fills its own columns and leaves the label empty."""
    row = rows(sample_result())[8]
    assert (row["label"], row["failure_stage"], row["failure_kind"]) == ("", "judge", "transient")


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff20A1"])
def test_no_formula(start):
    """A cell a spreadsheet would run begins with an apostrophe."""
    result = sample_result()
    claim = Claim(id="c", text=start, speaker=start)
    row = rows(result.model_copy(update={"ledger": Ledger(entries=(), claims=(claim,)), "verifications": ()}))[0]
    assert (row["claim"], row["speaker"]) == (f"'{start}", f"'{start}")


def test_reviews_are_claims_with_verdict():
    """Claims that failed or were not reached have no review."""
    reviews = to_claimreview(sample_result())
    assert len(reviews) == 8
    assert {(row["@type"], row["@context"]) for row in reviews} == {("ClaimReview", "https://schema.org")}
    json.dumps(reviews)


def test_ratings():
    """1 is refuted, 5 supported, 3 conflicting; the others have a name and no value."""
    ratings = [row["reviewRating"] for row in to_claimreview(sample_result())]
    found = {(rating["alternateName"], rating.get("ratingValue")) for rating in ratings}
    assert found == {
        ("Supported", 5),
        ("Refuted", 1),
        ("Conflicting Evidence/Cherrypicking", 3),
        ("Not Enough Evidence", None),
        ("Abstained", None),
    }


def test_review():
    """A review names claim, justification, date, appearance and each cited document once."""
    review = to_claimreview(sample_result())[2]
    assert review["claimReviewed"] == "The grain terminal in Brenholm opened on time in May 2031."
    assert review["datePublished"] == "2032-02-02"
    assert review["itemReviewed"]["appearance"]["url"] == "https://sources.example/article?a=1&b=2"
    assert [row["publisher"]["name"] for row in review["citation"]] == [
        "The Sund Courier",
        "Brenholm Port Authority",
        "Nordwire",
    ]


def test_no_hostile_address():
    """Only http and https addresses appear as url."""
    result = sample_result(HOSTILE, url="javascript:alert(1)")
    assert all("url" not in row["itemReviewed"]["appearance"] for row in to_claimreview(result))
    assert {row["first_quote_url"] for row in rows(result)} == {""}


def test_same_result_same_bytes():
    """Equal results give equal tables."""
    result = sample_result()
    turned = result.model_copy(update={"documents": dict(reversed(result.documents.items()))})
    assert to_csv(turned) == to_csv(result)
    assert to_claimreview(turned) == to_claimreview(result)
