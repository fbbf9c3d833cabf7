"""Metrics against independent implementations, and as functions of weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bootstrap import plain
from evals.metrics.calibration import reliability_bins, risk_coverage
from evals.metrics.statistics import statistics_of
from evals.record import Ratio
from tests.evals.scores import CLASSES, many, score

metrics = pytest.importorskip("sklearn.metrics")


def values(scores):
    return {statistic.name: plain(statistic) for statistic in statistics_of(scores)}


@pytest.mark.parametrize("seed", range(12))
def test_classes_as_scikit_learn_counts_them(seed):
    """Accuracy, F1 of each class, macro-F1 and balanced accuracy on random data."""
    scores = many(5 + 17 * seed, seed=seed, skill=seed / 12)
    gold, found = [one.gold for one in scores], [one.found for one in scores]
    classes = sorted(set(gold))
    ours = values(scores)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(gold, found))
    each = metrics.f1_score(gold, found, labels=classes, average=None, zero_division=0)
    for name, value in zip(classes, each, strict=True):
        assert ours[f"f1_{name}"] == pytest.approx(value)
    assert ours["macro_f1"] == pytest.approx(each.mean())
    recalls = metrics.recall_score(gold, found, labels=classes, average=None, zero_division=0)
    assert ours["balanced_accuracy"] == pytest.approx(recalls.mean())


@pytest.mark.parametrize("seed", range(6))
def test_checkable_sentences_as_scikit_learn_counts_them(seed):
    """The positive class is `checkable`; the names are those of the contract."""
    scores = many(40, seed=seed, classes=("checkable", "not_checkable"))
    gold, found = [one.gold for one in scores], [one.found for one in scores]
    ours = values(scores)
    assert "accuracy" not in ours
    assert ours["checkable_accuracy"] == pytest.approx(metrics.accuracy_score(gold, found))
    for name, theirs in (
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ):
        assert ours[f"checkable_{name}"] == pytest.approx(theirs(gold, found, pos_label="checkable"))


@pytest.mark.parametrize("seed", range(6))
def test_brier_score_as_scikit_learn_computes_it(seed):
    """Confidence against whether the class found is right."""
    scores = many(60, seed=seed)
    right = [int(one.is_right) for one in scores]
    assert values(scores)["brier"] == pytest.approx(metrics.brier_score_loss(right, [one.confidence for one in scores]))


def plain_ece(scores):
    """Expected calibration error by the book, one bin after the other."""
    total = 0.0
    for number in range(10):
        inside = [s for s in scores if number <= s.confidence * 10 < number + 1 or (number == 9 and s.confidence == 1)]
        if inside:
            confidence = sum(s.confidence for s in inside) / len(inside)
            accuracy = sum(s.is_right for s in inside) / len(inside)
            total += abs(confidence - accuracy) * len(inside) / len(scores)
    return total


def plain_accuracy_at_half(scores):
    """Mean over many random orders of ties of the accuracy of the first half; n even."""
    ordered = sorted(scores, key=lambda one: -one.confidence)
    half = len(ordered) // 2
    edge = ordered[half - 1].confidence
    sure = [one for one in ordered if one.confidence > edge]
    tied = [one for one in ordered if one.confidence == edge]
    share = sum(one.is_right for one in tied) / len(tied)
    return (sum(one.is_right for one in sure) + (half - len(sure)) * share) / half


_CONFIDENCES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.55, 0.8, 0.95, 1.0]), st.booleans()), min_size=2, max_size=30
).filter(lambda rows: len(rows) % 2 == 0)


def from_pairs(rows):
    return [
        score(f"c{n:02}", found="supported" if right else "refuted", confidence=confidence)
        for n, (confidence, right) in enumerate(rows)
    ]


@given(_CONFIDENCES)
def test_calibration_by_the_book(rows):
    """ECE and accuracy of the surer half as plain loops give them, ties and edges included."""
    scores = from_pairs(rows)
    ours = values(scores)
    assert ours["ece"] == pytest.approx(plain_ece(scores))
    assert ours["accuracy@50"] == pytest.approx(plain_accuracy_at_half(scores))


@given(_CONFIDENCES, st.randoms(use_true_random=False))
def test_no_metric_depends_on_the_order_of_cases(rows, dice):
    """Shuffled cases give the same values."""
    scores = from_pairs(rows)
    shuffled = list(scores)
    dice.shuffle(shuffled)
    assert values(shuffled) == pytest.approx(values(scores), nan_ok=True)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=6, max_size=12).filter(any), st.integers(0, 99))
def test_a_weight_of_two_is_the_case_twice(weights, seed):
    """Every statistic under whole weights equals its value on repeated cases: what the bootstrap relies on."""
    scores = many(len(weights), seed=seed)
    repeated = [
        one.model_copy(update={"case_id": f"{one.case_id}.{k}"})
        for one, weight in zip(scores, weights, strict=True)
        for k in range(weight)
    ]
    again = values(repeated)
    for statistic in statistics_of(scores):
        if statistic.name.startswith("f1_") and statistic.name not in again:
            continue  # no gold of that class is left
        value = float(statistic.under(np.array([weights], dtype=float))[0])
        assert value == pytest.approx(again[statistic.name], nan_ok=True), statistic.name


def test_area_under_the_risk_coverage_curve():
    """Two sure and right, then one wrong: errors 0, 0 and 1/3 at the three coverages."""
    scores = [
        score("a", confidence=0.9),
        score("b", confidence=0.8),
        score("c", found="refuted", confidence=0.1),
    ]
    assert values(scores)["aurc"] == pytest.approx((0 + 0 + 1 / 3) / 3)


def test_ratios_are_of_sums():
    """A case with three citations weighs three times a case with one; names are in order of depth."""
    scores = [
        score(
            "a",
            ratios={"citation_precision": Ratio(top=1, bottom=1), "recall@10": Ratio(top=1), "recall@9": Ratio(top=0)},
        ),
        score("b", ratios={"citation_precision": Ratio(top=0, bottom=3)}),
    ]
    found = values(scores)
    assert found["citation_precision"] == 0.25
    assert [name for name in found if "@" in name] == ["recall@9", "recall@10"]


def test_a_pair_counts_when_all_its_members_are_right():
    """A pair with one wrong half is wrong; a member alone is no pair."""
    scores = [
        score("a", pair="p"),
        score("b", pair="p", gold="refuted", found="refuted"),
        score("c", pair="q"),
        score("d", pair="q", gold="refuted"),
        score("e", pair="r"),
    ]
    assert values(scores)["pair_accuracy"] == 0.5


def test_unscored_and_failed_cases_are_in_no_metric():
    """They neither help nor hurt."""
    sure = many(10)
    rest = [score("x", found=None, failure="judge: garbage"), score("y", unscored="unreadable", found="refuted")]
    assert values([*sure, *rest]) == values(sure)
    assert statistics_of(rest) == ()


def test_abstentions_are_counted_where_there_are_any():
    """Coverage, and accuracy over what was answered."""
    assert "coverage" not in values(many(10))
    scores = [score("a"), score("b", found="refuted", abstained=True), score("c", found="refuted")]
    found = values(scores)
    assert (found["coverage"], found["accuracy_answered"]) == (pytest.approx(2 / 3), 0.5)


def test_bins_hold_all_cases_and_coverage_ends_at_one():
    """The charts show what the metrics are computed from."""
    scores = many(300, seed=3)
    bins, curve = reliability_bins(scores), risk_coverage(scores)
    assert sum(one.n for one in bins) == 300
    gap = sum(abs(one.confidence - one.accuracy) * one.n for one in bins) / 300
    assert values(scores)["ece"] == pytest.approx(gap)
    assert len(curve) <= 200
    assert curve[-1].coverage == 1
    assert curve[-1].accuracy == pytest.approx(values(scores)["accuracy"])
    assert reliability_bins([]) == risk_coverage([]) == ()


def test_classes_are_those_of_gold():
    """A class that gold never holds adds no F1 of its own; finding it still costs the others."""
    found = values([score("a"), score("b", found="conflicting")])
    assert {name for name in found if name.startswith("f1_")} == {"f1_supported"}
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert set(CLASSES) > {"supported"}
