"""Comparing two runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.paired import Difference, cases_needed, compare, mcnemar
from evals.record import Ratio
from tests.evals.scores import many, score


def of(comparison, name):
    return next(one for one in comparison.differences if one.name == name)


def flipped(scores, number):
    """The same run with the first wrong cases made right."""
    wrong = [one.case_id for one in scores if not one.is_right][:number]
    return [one.model_copy(update={"found": one.gold}) if one.case_id in wrong else one for one in scores]


def test_fixed_and_broken_cases_are_listed():
    """By id, in the order of the first run."""
    before = [score("a", found="refuted"), score("b"), score("c")]
    after = [score("a"), score("b", found="refuted"), score("c")]
    found = compare(before, after)
    assert (found.fixed, found.broken, found.common) == (("a",), ("b",), 3)
    assert of(found, "accuracy").value == 0
    assert found.mcnemar_p == 1
    assert found.needed is None


def test_a_run_does_not_differ_from_itself():
    """All differences are zero and none is better or worse."""
    scores = many(80, groups=20)
    found = compare(scores, scores)
    assert found.fixed == found.broken == ()
    for one in found.differences:
        assert (one.value, one.low, one.high) == (0, 0, 0)
        assert not one.is_worse
        assert not one.is_better


def test_a_clear_gain_is_seen_and_its_reverse_is_a_loss():
    """Thirty of 150 cases mended: the interval lies above zero, and below it the other way round."""
    before = many(150, skill=0.3)
    after = flipped(before, 30)
    gain, loss = compare(before, after), compare(after, before)
    assert len(gain.fixed) == 30
    assert of(gain, "accuracy").is_better
    assert of(loss, "accuracy").is_worse
    assert gain.mcnemar_p < 1e-6
    assert of(loss, "accuracy").low == pytest.approx(-of(gain, "accuracy").high, abs=1e-6)


def test_pairing_narrows_the_interval():
    """Two runs that are right and wrong on nearly the same cases differ surely, though each is unsure."""
    before = many(200, skill=0.5)
    after = flipped(before, 12)
    gap = of(compare(before, after), "accuracy")
    assert gap.high - gap.low < 0.08


def test_only_cases_scored_in_both_runs_are_compared():
    """Failed and unscored ones are counted as missing, not as wrong."""
    before = [score("a"), score("b"), score("c", found=None, failure="judge: x")]
    after = [score("a"), score("c"), score("d")]
    found = compare(before, after)
    assert (found.common, found.only_before, found.only_after) == (1, 1, 2)
    assert of(found, "accuracy").n == 1


def test_a_metric_where_less_is_better_is_worse_when_it_grows():
    """The direction is that of the metric."""
    before = [score(f"c{n}", ratios={"attack_success": Ratio(top=0)}) for n in range(30)]
    after = [score(f"c{n}", ratios={"attack_success": Ratio(top=float(n % 2))}) for n in range(30)]
    assert of(compare(before, after), "attack_success").is_worse
    assert of(compare(after, before), "attack_success").is_better


def test_a_drop_within_what_is_allowed_is_no_loss():
    """Only an interval wholly beyond the allowed drop counts."""
    drop = Difference(name="accuracy", before=0.8, after=0.7, value=-0.1, low=-0.15, high=-0.05, p=0, n=100)
    assert drop.is_worse
    assert drop.is_worse_by(0.04)
    assert not drop.is_worse_by(0.06)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(fixed, broken):
    """As SciPy computes it."""
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected)


def test_cases_needed_by_connors_formula():
    """A gap of 10 points with 30 % discordant cases needs 234 pairs; without a gap there is no number."""
    assert cases_needed(20, 10, 100) == 234
    assert cases_needed(5, 5, 100) is None
    assert cases_needed(0, 0, 0) is None


def test_needed_cases_are_enough():
    """Simulated with the binomial: at the number given, about 80 % of runs are significant."""
    stats = pytest.importorskip("scipy.stats")
    n = cases_needed(20, 10, 100)
    discordant = stats.binom(n, 0.3)
    power = 0.0
    for count in range(n + 1):
        chance = float(discordant.pmf(count))
        if chance > 1e-9:
            fixed = stats.binom(count, 2 / 3)
            power += chance * sum(float(fixed.pmf(k)) for k in range(count + 1) if mcnemar(k, count - k) < 0.05)
    assert 0.72 <= power <= 0.85
