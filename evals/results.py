"""The figures of a run from the scores of its cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evals.bootstrap import estimates
from evals.metrics.statistics import statistics_of
from evals.record import CaseScore, Results


def results_of(suite: str, scores: Sequence[CaseScore]) -> Results:
    """All metrics with intervals, with and without doubtful cases, and what was left out of them. Pure."""
    sure = [score for score in scores if not score.doubtful]
    return Results(
        suite=suite,
        n=len(scores),
        unscored=sum(bool(score.unscored) for score in scores),
        failures=sum(bool(score.failure) for score in scores),
        abstained=sum(score.abstained for score in scores),
        doubtful=len(scores) - len(sure),
        metrics=estimates(statistics_of(scores)),
        without_doubtful=estimates(statistics_of(sure)) if len(sure) < len(scores) else {},
        confusion=confusion_of(scores),
    )


def confusion_of(scores: Sequence[CaseScore]) -> dict[str, dict[str, int]]:
    """Counts of class found by gold class; failures and unscored cases are in none."""
    counts = Counter(
        (score.gold, score.found)
        for score in scores
        if score.gold is not None and score.found is not None and not score.unscored and not score.failure
    )
    table: dict[str, dict[str, int]] = {}
    for (gold, found), count in sorted(counts.items()):
        table.setdefault(gold, {})[found] = count
    return table
