"""Intervals by resampling clusters of cases, for one run and for two runs on the same cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from evals.intervals import wilson
from evals.metrics.base import Floats, Statistic
from evals.record import Estimate

RESAMPLES = 1000
_DIGITS = 6
_PART = 100


def estimates(statistics: Sequence[Statistic], *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Estimate]:
    """Each metric with its 95 % interval.

    Percentile bootstrap over clusters (Efron & Tibshirani 1993; Cameron, Gelbach & Miller 2008): groups are drawn with
    replacement and bring all their cases, so that cases that share an article do not count as independent. Resamples in
    which a metric is not defined are left out. Where every resample gives the same value (14 of 14 right) the
    interval would be of no width: then it is Wilson's (1927), for shares; other metrics get no interval, nor do
    metrics that rest on a single group.
    """
    draws = Draws(resamples, seed)
    return {statistic.name: _estimate(statistic, draws) for statistic in statistics}


def plain(statistic: Statistic) -> float:
    """The value with each case counted once."""
    return float(statistic.under(np.ones((1, len(statistic.case_ids))))[0])


def drawn(statistic: Statistic, draws: Draws) -> Floats:
    """Values under the resamples, those that are not defined left out."""
    values: Floats = np.concatenate([statistic.under(weights) for weights in draws.weights(statistic.groups)])
    kept: Floats = values[~np.isnan(values)]
    return kept


class Draws:
    """How often each group is drawn: the same for all metrics over the same groups, whatever the order of cases."""

    def __init__(self, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self._resamples = resamples
        self._seed = seed
        self._kept: dict[tuple[str, ...], Floats] = {}

    def weights(self, groups: Sequence[str]) -> Iterator[Floats]:
        """Times the group of each case was drawn, in parts of shape (at most 100, n), so that memory stays small."""
        names = tuple(sorted(set(groups)))
        if names not in self._kept:
            self._kept.clear()  # metrics over the same groups come one after another; one table is held at a time
            self._kept[names] = self._counts(names)
        place = {name: number for number, name in enumerate(names)}
        columns = [place[name] for name in groups]
        for start in range(0, self._resamples, _PART):
            yield self._kept[names][start : start + _PART, columns]

    def _counts(self, names: tuple[str, ...]) -> Floats:
        digest = hashlib.sha256("\x1f".join(names).encode()).digest()
        dice = np.random.default_rng([self._seed, int.from_bytes(digest[:8], "big")])
        counts = dice.multinomial(len(names), np.full(len(names), 1 / len(names)), size=self._resamples)
        return np.asarray(counts, dtype=np.float64)


def _estimate(statistic: Statistic, draws: Draws) -> Estimate:
    n = len(statistic.case_ids)
    value = plain(statistic) if n else float("nan")
    if np.isnan(value):
        return Estimate(value=None, low=None, high=None, n=n)
    low, high = _interval(statistic, draws, value, n)
    return Estimate(value=_rounded(value), low=low, high=high, n=n)


def _interval(statistic: Statistic, draws: Draws, value: float, n: int) -> tuple[float | None, float | None]:
    values = drawn(statistic, draws) if len(set(statistic.groups)) > 1 else np.empty(0)
    low, high = np.quantile(values, [0.025, 0.975]) if len(values) else (value, value)
    if high - low > 10**-_DIGITS:
        return _rounded(float(low)), _rounded(float(high))
    hits = value * n
    if 0 <= value <= 1 and abs(hits - round(hits)) < 10**-_DIGITS:
        share = wilson(round(hits), n)
        return _rounded(share.low), _rounded(share.high)
    return None, None


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
