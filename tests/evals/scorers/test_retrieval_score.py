"""Scores of rankings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Failure, FailureKind, Stance
from evals.cases import ClaimCase, GoldPiece
from evals.record import Outcome
from evals.scorers.retrieval import found_documents, gold_documents, ranking_ratios, score_retrieval, second_look
from tests.build import document, hit

_RANKINGS = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=16)


def case(*pieces):
    return ClaimCase(id="c", text="A.", label="supported", evidence=tuple(pieces))


def piece(name, stance):
    return GoldPiece(doc_id=name, quote="q", stance=stance)


def test_known_ranking():
    """Gold at ranks 2 and 4 of three gold documents."""
    ratios = {name: ratio.top for name, ratio in ranking_ratios(frozenset("bdx"), list("abcdef"), curve=True).items()}
    assert ratios["recall@1"] == 0
    assert ratios["recall@5"] == pytest.approx(2 / 3)
    assert ratios["mrr"] == 0.5
    gain = 1 / math.log2(3) + 1 / math.log2(5)
    assert ratios["ndcg@10"] == pytest.approx(gain / (1 + 1 / math.log2(3) + 1 / math.log2(4)))


@given(st.sets(st.sampled_from("abcdefghijklmnop"), min_size=1), _RANKINGS)
def test_against_an_independent_implementation(gold, found):
    """nDCG, recall and reciprocal rank as scikit-learn and plain definitions give them."""
    metrics = pytest.importorskip("sklearn.metrics")
    ours = {name: ratio.top for name, ratio in ranking_ratios(frozenset(gold), found, curve=True).items()}
    names = sorted(set("abcdefghijklmnop"))
    truth = np.array([[float(name in gold) for name in names]])
    shown = found[:10]
    scores = np.array([[float(len(shown) - shown.index(name)) if name in shown else 0.0 for name in names]])
    relevant = np.asarray([float(name in gold) for name in shown])
    gain = float((relevant / np.log2(np.arange(2, len(shown) + 2))).sum())
    best = metrics.dcg_score(truth, truth, k=10)
    assert ours["ndcg@10"] == pytest.approx(gain / best)
    if len(shown) == len(found) and gold <= set(found):  # no ties among what is scored
        assert ours["ndcg@10"] == pytest.approx(metrics.ndcg_score(truth, scores, k=10))
    ranks = [rank for rank, name in enumerate(found, start=1) if name in gold]
    assert ours["mrr"] == (1 / ranks[0] if ranks else 0)
    assert ours["recall@5"] == pytest.approx(sum(rank <= 5 for rank in ranks) / len(gold))


@given(st.sets(st.sampled_from("abcdefgh"), min_size=1), _RANKINGS)
def test_recall_never_falls_with_depth(gold, found):
    """More documents cannot hold less gold."""
    ratios = ranking_ratios(frozenset(gold), found, curve=True)
    recalls = [ratios[f"recall@{k}"].top for k in range(1, 11)]
    assert recalls == sorted(recalls)
    assert 0 <= recalls[0] <= recalls[-1] <= 1


def test_a_short_ranking_has_recall_at_five_alone():
    """A verdict's five passages say nothing of ranks beyond."""
    assert set(ranking_ratios(frozenset("a"), ["a"])) == {"recall@5"}


def test_neutral_documents_are_gold_only_where_nothing_else_is():
    """What bears on the claim counts; a set that gives only neutral quotes is scored by those."""
    assert gold_documents(case(piece("a", Stance.SUPPORTS), piece("b", Stance.NEUTRAL))) == {"a"}
    assert gold_documents(case(piece("a", Stance.NEUTRAL))) == {"a"}
    assert gold_documents(case(piece("a", None), piece("b", Stance.NEUTRAL))) == {"a"}


def test_a_document_counts_at_its_best_passage():
    """Several passages of one document take one rank."""
    one, other = document("A.", "one"), document("B.", "other")
    assert found_documents([hit(one), hit(other, 2), hit(one, 3)]) == ("one", "other")


def test_a_claim_without_gold_is_unscored_and_a_failure_is_told():
    """Neither becomes a zero."""
    assert score_retrieval(case(), Outcome(case_id="c")).unscored == "gold names no document"
    broken = Failure(stage="retrieve", kind=FailureKind.STORE, message="locked")
    score = score_retrieval(case(piece("a", None)), Outcome(case_id="c", failure=broken))
    assert (score.failure, score.ratios) == ("retrieve: locked", {})


def test_the_second_look_counts_where_the_first_misses_all_gold():
    """Found, not found, not made; and nothing where the first round has a gold document."""
    rounds = {name: hit(document("A.", name)) for name in "abc"}
    later = {name: one.model_copy(update={"round": 2}) for name, one in rounds.items()}

    def tops(*hits):
        return {name: ratio.top for name, ratio in second_look(frozenset("b"), hits).items()}

    assert tops(rounds["a"], later["b"]) == {"second_look_found": 1, "second_look_made": 1}
    assert tops(rounds["a"], later["c"]) == {"second_look_found": 0, "second_look_made": 1}
    assert tops(rounds["a"]) == {"second_look_found": 0, "second_look_made": 0}
    assert tops(rounds["b"], later["c"]) == {}
    assert tops() == {}
