"""Intervals by resampling groups."""

import random

import pytest

from evals.bootstrap import estimates
from evals.intervals import wilson
from evals.metrics.statistics import statistics_of
from tests.evals.scores import many, score


def run(scores, **options):
    return estimates(statistics_of(scores), **options)


def test_the_same_seed_gives_the_same_interval_in_any_order():
    """Groups are drawn by name, so the order of cases does not matter."""
    scores = many(60, groups=20)
    shuffled = random.Random(5).sample(scores, len(scores))
    assert run(scores) == run(shuffled)
    assert run(scores) != run(scores, seed=1)


def test_the_value_lies_in_its_interval():
    """For every metric of an ordinary run."""
    for name, found in run(many(200, groups=50)).items():
        if found.low is not None:
            assert found.low <= found.value <= found.high, name


def test_groups_make_intervals_wider():
    """Ten cases that share an article are no ten independent cases."""
    one_by_one = [score(f"c{n}", found="supported" if (n // 10) % 2 else "refuted") for n in range(200)]
    in_groups = [one.model_copy(update={"group": f"g{n // 10}"}) for n, one in enumerate(one_by_one)]
    narrow, wide = run(one_by_one)["accuracy"], run(in_groups)["accuracy"]
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_clean_sweep_has_wilsons_interval():
    """Resampling 14 of 14 knows no doubt; Wilson does."""
    found = run([score(f"c{n}") for n in range(14)])["accuracy"]
    share = wilson(14, 14)
    assert (found.low, found.high) == (pytest.approx(share.low, abs=1e-6), 1)
    assert found.low < 0.8


def test_one_group_alone_gives_shares_wilsons_interval():
    """There is nothing to resample."""
    scores = [score(f"c{n}", group="g", found="supported" if n else "refuted") for n in range(10)]
    found = run(scores)["accuracy"]
    assert (found.value, found.n) == (0.9, 10)
    assert found.low == pytest.approx(wilson(9, 10).low, abs=1e-6)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Of 200 simulated sets with clusters, the 95 % interval holds the true accuracy in 90 to 98 %."""
    dice = random.Random(0)
    held = 0
    for number in range(200):
        scores = []
        for group in range(40):
            hard = dice.random() < 0.5
            for member in range(3):
                right = dice.random() < (0.5 if hard else 0.9)
                name = f"s{number}g{group}m{member}"
                scores.append(score(name, group=f"g{group}", found="supported" if right else "refuted"))
        statistics = [one for one in statistics_of(scores) if one.name == "accuracy"]
        found = estimates(statistics, resamples=300, seed=number)["accuracy"]
        held += found.low <= 0.7 <= found.high
    assert 0.90 <= held / 200 <= 0.98


def test_nothing_to_score_gives_no_value():
    """No cases, no metric."""
    assert run([]) == {}
