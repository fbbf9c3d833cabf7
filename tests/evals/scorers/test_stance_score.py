"""Scores of stances."""

from agent.domain import Failure, FailureKind, Stance
from evals.cases import StanceCase
from evals.record import Outcome
from evals.scorers.stance import score_stance
from tests.build import claim, document, evidence, hit

SOURCE = document("The mill burnt down.", "mill")


def case(stance):
    return StanceCase("c:0", claim(), SOURCE, hit(SOURCE).passage, stance, "g")


def test_the_stance_found_is_compared_with_gold():
    """Class, confidence of that class, and the likelier side."""
    score = score_stance(
        case(Stance.SUPPORTS), Outcome(case_id="c:0", evidence=(evidence(SOURCE, Stance.REFUTES, score=0.8),))
    )
    assert (score.gold, score.found, score.confidence, score.group) == ("supports", "refutes", 0.8, "g")
    assert score.ratios["two_way"].top == 0


def test_neutral_gold_has_no_side():
    """Two-way accuracy is over passages that take one."""
    score = score_stance(
        case(Stance.NEUTRAL), Outcome(case_id="c:0", evidence=(evidence(SOURCE, Stance.SUPPORTS, score=0.8),))
    )
    assert score.ratios == {}
    assert score.is_right is False


def test_a_judge_without_probabilities_is_scored_by_class_alone():
    """Neither confidence nor side is made up."""
    score = score_stance(case(Stance.SUPPORTS), Outcome(case_id="c:0", evidence=(evidence(SOURCE, Stance.SUPPORTS),)))
    assert (score.found, score.confidence, score.ratios) == ("supports", None, {})


def test_failures_and_silence_are_counted_apart():
    """A failure is told; nothing said is unscored."""
    failure = Failure(stage="judge", kind=FailureKind.REPLY, message="garbage")
    failed = score_stance(case(Stance.SUPPORTS), Outcome(case_id="c:0", failure=failure))
    silent = score_stance(case(Stance.SUPPORTS), Outcome(case_id="c:0"))
    assert (failed.failure, failed.found) == ("judge: garbage", None)
    assert (silent.unscored, silent.found) == ("the judge gave nothing", None)
