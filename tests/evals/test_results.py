"""The figures of a run."""

from evals.results import confusion_of, results_of
from tests.evals.scores import many, score


def test_every_case_is_counted_somewhere():
    """All cases are in n; what is in no metric is counted apart."""
    scores = [*many(20), score("x", found=None, failure="judge: garbage"), score("y", unscored="unreadable")]
    found = results_of("mills", scores)
    assert (found.n, found.unscored, found.failures) == (22, 1, 1)
    assert found.metrics["accuracy"].n == 20
    assert sum(sum(row.values()) for row in found.confusion.values()) == 20


def test_doubtful_cases_are_left_out_of_a_second_set_of_figures():
    """Both are given, so that nobody has to guess what the doubt is worth."""
    sure = [score(f"a{n}") for n in range(8)]
    doubtful = [score(f"b{n}", found="refuted", doubtful=True) for n in range(2)]
    found = results_of("mills", [*sure, *doubtful])
    assert (found.metrics["accuracy"].value, found.without_doubtful["accuracy"].value) == (0.8, 1)
    assert found.doubtful == 2
    assert results_of("mills", sure).without_doubtful == {}


def test_the_same_scores_give_the_same_bytes():
    """Results are written without anything of the day."""
    assert results_of("m", many(50)).model_dump_json() == results_of("m", many(50)).model_dump_json()


def test_confusion_counts_gold_by_found():
    """Only pairs that occur."""
    scores = [score("a"), score("b", found="refuted"), score("c", gold="refuted", found="refuted")]
    assert confusion_of(scores) == {"refuted": {"refuted": 1}, "supported": {"refuted": 1, "supported": 1}}
