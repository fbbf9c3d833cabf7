"""The small judge settles what it is sure of; the large one is asked about the rest."""

import asyncio

import pytest

from agent.domain import Stance
from agent.stages.cascade import CascadeJudge
from agent.stages.judge import Judgement
from tests.build import claim, document, evidence, hit

A = document("The bridge opened in 1931.", "a", publisher="Paper a")
B = document("The bridge opened in 1934.", "b", publisher="Paper b")
DOCUMENTS = {"a": A, "b": B}


class Fixed:
    """Gives the evidence it was made with, and counts how often it was asked."""

    def __init__(self, name, *pieces):
        self.id = name
        self.pieces = pieces
        self.asked = 0

    async def judge(self, claim, hits, documents):
        self.asked += 1
        return Judgement(self.pieces, 0)


LARGE = evidence(A, Stance.REFUTES, score=0.7)


def judged(text, *pieces, sure):
    large = Fixed("large", LARGE)
    judge = CascadeJudge(Fixed("small", *pieces), large, sure=sure)
    found = asyncio.run(judge.judge(claim(text), (hit(A), hit(B, 2)), DOCUMENTS))
    return found.evidence, large.asked


@pytest.mark.parametrize(
    ("text", "stance", "score", "sure", "settled"),
    [
        ("The bridge opened in 1931.", Stance.SUPPORTS, 0.97, 0.7, True),
        ("The bridge opened in 1931.", Stance.SUPPORTS, 0.97, 0.99, False),  # not sure enough
        ("The bridge opened in 1931.", Stance.SUPPORTS, 0.5, 0.7, False),
        ("The bridge opened in 1931.", Stance.NEUTRAL, 0.97, 0.1, False),  # nothing found is never settled
        ("The bridge opened in 1944.", Stance.SUPPORTS, 0.97, 0.1, False),  # a check disagrees
        ("The bridge opened in 1931.", Stance.REFUTES, 0.97, 0.7, True),
    ],
)
def test_only_a_sure_side_that_the_checks_agree_with_is_settled(text, stance, score, sure, settled):
    piece = evidence(A, stance, score=score)
    found, asked = judged(text, piece, sure=sure)
    assert (found == (piece,), asked) == (settled, int(not settled))
    assert settled or found == (LARGE,)


def test_two_sure_sides_are_left_to_the_large_judge():
    yes, no = evidence(A, Stance.SUPPORTS, score=0.97), evidence(B, Stance.REFUTES, score=0.97)
    assert judged("The bridge opened in 1931.", yes, no, sure=0.1) == ((LARGE,), 1)


def test_no_passage_settles_nothing():
    large = Fixed("large")
    judge = CascadeJudge(Fixed("small"), large, sure=0.0)
    assert asyncio.run(judge.judge(claim("x"), (), {})).evidence == ()
    assert large.asked == 1


def test_its_id_names_both_judges_and_the_threshold():
    assert CascadeJudge(Fixed("s"), Fixed("l"), sure=0.8).id == "s from 0.8, else l"
