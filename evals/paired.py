"""Two runs on the same cases: differences with paired intervals, and whether they could be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agent.domain import Data
from evals.bootstrap import Draws, plain
from evals.metrics.base import Floats, Statistic
from evals.metrics.statistics import statistics_of
from evals.record import CaseScore

LOWER_IS_BETTER = frozenset(
    {"brier", "ece", "aurc", "attack_success", "false_alarm", "form_broken", "planted_cited", "verdict_change"}
)
_DIGITS = 6
_Z_ALPHA, _Z_BETA = 1.959963984540054, 0.8416212335729143
"""Normal quantiles of 97.5 % and 80 %."""


def p_shown(p: float) -> str:
    """A p-value in three digits; never a zero, which no finite number of resamples can show."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


class Difference(Data):
    """A metric of both runs on their common cases, and the second minus the first."""

    name: str
    before: float
    after: float
    value: float
    low: float | None
    high: float | None
    """Paired 95 % interval; None where all cases are of one group."""
    p: float | None
    """Two-sided, by the share of resamples on the far side of zero."""
    n: int

    @property
    def chance(self) -> str:
        """The p-value as it is shown; empty without one."""
        return "" if self.p is None else p_shown(self.p)

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies on the bad side."""
        return self.is_worse_by(0.0)

    def is_worse_by(self, allowed: float) -> bool:
        """Whether the whole interval lies further on the bad side than allowed."""
        if self.low is None or self.high is None:
            return False
        return self.low > allowed if self.name in LOWER_IS_BETTER else self.high < -allowed

    @property
    def is_better(self) -> bool:
        """Whether the whole interval lies on the good side."""
        if self.low is None or self.high is None:
            return False
        return self.high < 0 if self.name in LOWER_IS_BETTER else self.low > 0


class Comparison(Data):
    """What changed from the first run to the second."""

    differences: tuple[Difference, ...]
    fixed: tuple[str, ...]
    """Cases that were wrong and are right."""
    broken: tuple[str, ...]
    mcnemar_p: float | None
    """Exact McNemar test (1947) on right and wrong: the chance of so uneven a split of fixed and broken cases."""
    needed: int | None
    """Cases needed to see such a difference in accuracy with 80 % power; None where there is no difference."""
    common: int
    only_before: int
    only_after: int


def compare(
    before: Sequence[CaseScore], after: Sequence[CaseScore], *, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Compare two runs on the cases both have scored.

    Intervals come from the paired cluster bootstrap: both runs are weighted by the same drawn groups, so that what
    makes a case hard for both does not blur the difference.
    """
    old, new = ({score.case_id: score for score in scores if _is_scored(score)} for scores in (before, after))
    common = [name for name in old if name in new]
    draws = Draws(resamples, seed)
    fixed = tuple(name for name in common if old[name].is_right is False and new[name].is_right)
    broken = tuple(name for name in common if old[name].is_right and new[name].is_right is False)
    judged = sum(old[name].is_right is not None and new[name].is_right is not None for name in common)
    return Comparison(
        differences=tuple(_differences([old[name] for name in common], [new[name] for name in common], draws)),
        fixed=fixed,
        broken=broken,
        mcnemar_p=mcnemar(len(fixed), len(broken)) if judged else None,
        needed=cases_needed(len(fixed), len(broken), judged),
        common=len(common),
        only_before=len(old) - len(common),
        only_after=len(new) - len(common),
    )


def mcnemar(fixed: int, broken: int) -> float:
    """Exact two-sided p of a split at least as uneven, when each discordant case falls either way by a fair coin."""
    n = fixed + broken
    tail = sum(math.comb(n, k) for k in range(min(fixed, broken) + 1))
    return min(1.0, float(2 * tail / 2**n))


def cases_needed(fixed: int, broken: int, n: int) -> int | None:
    """Cases that McNemar's test needs for this difference with 80 % power at 5 % (Connor 1987, Biometrics 43:207)."""
    if n == 0 or fixed == broken:
        return None
    discordant, gap = (fixed + broken) / n, (fixed - broken) / n
    root = _Z_ALPHA * math.sqrt(discordant) + _Z_BETA * math.sqrt(max(0.0, discordant - gap * gap))
    return math.ceil((root / gap) ** 2)


def _is_scored(score: CaseScore) -> bool:
    return not score.unscored and not score.failure


def _differences(old: Sequence[CaseScore], new: Sequence[CaseScore], draws: Draws) -> list[Difference]:
    later = {statistic.name: statistic for statistic in statistics_of(new)}
    pairs = [(one, later[one.name]) for one in statistics_of(old) if one.name in later]
    found = (_difference(one, other, draws) for one, other in pairs)
    return [difference for difference in found if difference is not None]


def _difference(one: Statistic, other: Statistic, draws: Draws) -> Difference | None:
    """None where a metric is not defined in one of the runs."""
    before, after = (plain(found) if found.case_ids else math.nan for found in (one, other))
    if math.isnan(before) or math.isnan(after):
        return None
    low, high, p = _paired(one, other, draws)
    n = len(set(one.case_ids) & set(other.case_ids))
    return Difference(
        name=one.name,
        before=round(before, _DIGITS),
        after=round(after, _DIGITS),
        value=round(after - before, _DIGITS),
        low=low,
        high=high,
        p=p,
        n=n,
    )


def _paired(one: Statistic, other: Statistic, draws: Draws) -> tuple[float | None, float | None, float | None]:
    """Interval of the difference and its p; the metrics may rest on other cases, so groups of both are drawn."""
    groups = (*one.groups, *other.groups)
    if len(set(groups)) < 2:
        return None, None, None
    cut = len(one.groups)
    parts = [other.under(weights[:, cut:]) - one.under(weights[:, :cut]) for weights in draws.weights(groups)]
    gaps: Floats = np.concatenate(parts)
    gaps = gaps[~np.isnan(gaps)]
    if not len(gaps):
        return None, None, None
    low, high = np.quantile(gaps, [0.025, 0.975])
    far = min(float((gaps <= 0).mean()), float((gaps >= 0).mean()))
    return round(float(low), _DIGITS), round(float(high), _DIGITS), round(min(1.0, 2 * far), _DIGITS)
