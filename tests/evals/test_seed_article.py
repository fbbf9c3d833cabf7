"""The scorer of the seed article, and the intervals it uses."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.pipeline import verify_text
from agent.report.contract import to_json
from evals.intervals import wilson
from evals.tasks.seed_article import likeness, match_claims, score
from tests.desk import ARTICLE, fake_desk


@pytest.fixture
def run(tmp_path):
    with fake_desk(tmp_path) as (article, run, deps, _):
        return to_json(asyncio.run(verify_text(article, run, deps)))


def gold(text, claim, verdict, *, checkable=True, docs=()):
    start = ARTICLE.index(text)
    return {
        "start": start, "end": start + len(text), "claim": claim, "checkable": checkable, "verdict": verdict,
        "citations": [{"doc_id": name} for name in docs],
    }  # fmt: skip


ROWS = [
    gold(
        "The mill in Norvik burnt down on 4 March 2019.",
        "A mill in Norvik burnt down on 4 March 2019.",
        "supported",
        docs=["s1"],
    ),
    gold("The fire killed 3 dockers.", "The mill fire killed 3 dockers.", "refuted", docs=["s9"]),
    gold("What a disgrace!", "It was a disgrace.", None, checkable=False),
    gold("The mill made 900 tons of flour in 2018.", "Bakers liked the flour.", "supported"),
]


def test_found_claims_are_scored_against_gold(run):
    """Matched by words within the sentence; labels, documents and sentences compared."""
    found = score(run, ROWS)
    assert (found["ledger_coverage"].value, found["checkable_recall"].value) == (1, 1)
    assert (found["checkable_precision"].value, found["checkable_precision"].n) == (0.75, 4)  # the headline has no gold
    assert (found["claims_matched"].value, found["claims_matched"].n) == (pytest.approx(2 / 3), 3)
    assert (found["verdict_accuracy"].value, found["verdict_accuracy"].n) == (0.5, 2)
    assert found["verdict_accuracy_of_all_gold"].value == pytest.approx(1 / 3)
    assert found["citation_validity"].value == 1
    assert (found["doc_overlap"].value, found["doc_overlap"].n) == (0.5, 2)


def test_a_moved_quote_is_an_invalid_citation(run):
    """Validity is recomputed, not believed."""
    cited = next(claim for claim in run["claims"] if claim["verdict"]["citations"])
    cited["verdict"]["citations"][0]["start"] += 1
    assert score(run, ROWS)["citation_validity"].value < 1


def test_a_gold_claim_is_matched_once(run):
    """One to one."""
    pairs = match_claims(run, [ROWS[0], ROWS[0]])
    assert len(pairs) == 1


@given(st.text(), st.text())
def test_likeness_is_symmetric_and_within_bounds(one, other):
    """F1 of shared content words."""
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other) <= 1


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share(a, b):
    """Within [0, 1], around the value, NaN for nothing."""
    hits, n = min(a, b), max(a, b)
    found = wilson(hits, n)
    if n == 0:
        assert math.isnan(found.value)
    else:
        assert 0 <= found.low <= found.value + 1e-12
        assert found.value <= found.high + 1e-12 <= 1 + 1e-9


def test_the_interval_is_wilsons():
    """Against the textbook: 8 of 10 gives [0.490, 0.943]."""
    found = wilson(8, 10)
    assert (round(found.low, 3), round(found.high, 3)) == (0.49, 0.943)
    with pytest.raises(ValueError, match="no proportion"):
        wilson(3, 2)
