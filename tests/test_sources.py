"""The record of an earlier run as sources and as judge."""

from __future__ import annotations

import asyncio

import pytest

from agent.errors import ModelError
from agent.pipeline import verify_text
from agent.sources import RecordedJudge, RecordedSources
from agent.stages.queries import plan_queries
from tests.build import document, hit
from tests.desk import fake_desk


@pytest.fixture
def result(tmp_path):
    with fake_desk(tmp_path) as (article, run, deps, _):
        return asyncio.run(verify_text(article, run, deps))


def test_recorded_hits_come_back_round_by_round(result):
    """Each claim finds what it found then, and the documents are those of the record."""
    sources = RecordedSources(result)
    for verification in result.verifications:
        found = [
            piece
            for number in {query.round for query in verification.queries}
            for piece in sources.find(plan_queries(verification.claim, round=number), frozenset())
        ]
        assert sorted(piece.passage.id for piece in found) == sorted(piece.passage.id for piece in verification.hits)
    assert sources.documents(["s1", "unknown"]) == {"s1": result.documents["s1"]}


def test_a_judge_without_replies_is_replayed_from_its_evidence(result):
    """The recorded evidence, in the order of the hits."""
    first = result.verifications[0]
    judge = RecordedJudge("small@1", result)
    found = asyncio.run(judge.judge(first.claim, first.hits, result.documents))
    assert (found.evidence, judge.id) == (first.evidence, "small@1")


def test_dropped_quotes_are_told_once_a_claim(result):
    """A cascade may have asked a language model that invented some: its replay counts them as the run did."""
    first = next(one for one in result.verifications if len(one.hits) > 1)
    recorded = first.model_copy(update={"dropped_citations": 2})
    judge = RecordedJudge("both@1", result.model_copy(update={"verifications": (recorded,)}))
    told = [
        asyncio.run(judge.judge(first.claim, hits, result.documents)).dropped_citations
        for hits in (first.hits[:1], first.hits[1:], ())
    ]
    assert told == [2, 0, 0]


def test_a_passage_that_was_not_judged_then_is_an_error(result):
    """Code has changed: say so instead of guessing."""
    other = document("Never seen.", "x")
    judging = RecordedJudge("small@1", result).judge(result.verifications[0].claim, (hit(other),), {"x": other})
    with pytest.raises(ModelError, match="run it afresh"):
        asyncio.run(judging)
