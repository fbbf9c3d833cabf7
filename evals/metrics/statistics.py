"""The metrics of a set of scores, each as a statistic of weights on its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.metrics.base import Floats, Statistic
from evals.metrics.calibration import calibration_statistics
from evals.record import CaseScore

CHECKABLE = "checkable"
_BINARY = {CHECKABLE, "not_checkable"}


@dataclass(frozen=True)
class Additive:
    """A function of sums over cases: `finish(weights @ columns)`."""

    name: str
    case_ids: tuple[str, ...]
    groups: tuple[str, ...]
    columns: Floats
    """Shape (n, c)."""
    finish: Callable[[Floats], Floats]
    """Sums of shape (b, c) to values of shape (b,)."""

    def under(self, weights: Floats) -> Floats:
        """Values under weights of shape (b, n)."""
        return self.finish(weights @ self.columns)


def statistics_of(scores: Sequence[CaseScore]) -> tuple[Statistic, ...]:
    """All metrics of these scores: classes first, then pairs, ratios by name, calibration.

    Unscored and failed cases are in none.
    """
    scored = [score for score in scores if not score.unscored and not score.failure]
    classified = [score for score in scored if score.is_right is not None]
    return (
        *_class_statistics(classified),
        *_abstention_statistics(classified),
        *_pair_statistics(classified),
        *_ratio_statistics(scored),
        *calibration_statistics(classified),
    )


def _additive(
    name: str, scores: Sequence[CaseScore], columns: Iterable[Sequence[float]], finish: Callable[[Floats], Floats]
) -> Additive:
    return Additive(
        name=name,
        case_ids=tuple(score.case_id for score in scores),
        groups=tuple(score.group for score in scores),
        columns=np.array(list(columns), dtype=np.float64).reshape(len(scores), -1),
        finish=finish,
    )


def _divide(top: Floats, bottom: Floats) -> Floats:
    """Quotients; NaN where the bottom is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), np.nan)
    return found


def _share(sums: Floats) -> Floats:
    return _divide(sums[:, 0], sums[:, 1])


def _class_statistics(scores: Sequence[CaseScore]) -> Iterable[Statistic]:
    """Accuracy and F1 (van Rijsbergen 1979) over the classes that occur in gold."""
    if not scores:
        return
    classes = sorted({score.gold for score in scores if score.gold is not None})
    right = [(float(score.is_right is True), 1.0) for score in scores]
    if set(classes) <= _BINARY:
        yield _additive("checkable_accuracy", scores, right, _share)
        counts = [_counts(score, CHECKABLE) for score in scores]
        yield _additive("checkable_f1", scores, counts, _f1)
        yield _additive("checkable_precision", scores, counts, lambda sums: _divide(sums[:, 0], sums[:, 2]))
        yield _additive("checkable_recall", scores, counts, lambda sums: _divide(sums[:, 0], sums[:, 1]))
        return
    yield _additive("accuracy", scores, right, _share)
    columns = [[count for name in classes for count in _counts(score, name)] for score in scores]
    yield _additive("macro_f1", scores, columns, _macro(_f1))
    yield _additive("balanced_accuracy", scores, columns, _macro(lambda sums: _divide(sums[:, 0], sums[:, 1])))
    for name in classes:
        yield _additive(f"f1_{name}", scores, [_counts(score, name) for score in scores], _f1)


def _counts(score: CaseScore, name: str) -> tuple[float, float, float]:
    """True positives, gold positives, found positives of one class."""
    is_gold, is_found = score.gold == name, score.found == name
    return float(is_gold and is_found), float(is_gold), float(is_found)


def _f1(sums: Floats) -> Floats:
    return _divide(2 * sums[:, 0], sums[:, 1] + sums[:, 2])


def _macro(one: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """Mean of a metric over the classes with gold under the weights."""

    def finish(sums: Floats) -> Floats:
        parts = [sums[:, start : start + 3] for start in range(0, sums.shape[1], 3)]
        present = np.stack([part[:, 1] > 0 for part in parts], axis=1)
        values = np.stack([np.nan_to_num(one(part)) for part in parts], axis=1)
        return _divide((values * present).sum(axis=1), present.sum(axis=1).astype(np.float64))

    return finish


def _abstention_statistics(scores: Sequence[CaseScore]) -> Iterable[Statistic]:
    """Share of cases that were answered, and accuracy over those; only where some were not."""
    if not any(score.abstained for score in scores):
        return
    answered = [float(not score.abstained) for score in scores]
    yield _additive("coverage", scores, [(one, 1.0) for one in answered], _share)
    columns = [(one * float(score.is_right is True), one) for one, score in zip(answered, scores, strict=True)]
    yield _additive("accuracy_answered", scores, columns, _share)


def _pair_statistics(scores: Sequence[CaseScore]) -> Iterable[Statistic]:
    """Contrast pairs with all members right (Gardner et al. 2020, contrast consistency)."""
    members: dict[str, list[CaseScore]] = {}
    for score in scores:
        if score.pair is not None:
            members.setdefault(score.pair, []).append(score)
    pairs = {name: found for name, found in members.items() if len(found) > 1}
    if pairs:
        yield Additive(
            name="pair_accuracy",
            case_ids=tuple(pairs),
            groups=tuple(found[0].group for found in pairs.values()),
            columns=np.array([(float(all(one.is_right for one in found)), 1.0) for found in pairs.values()]),
            finish=_share,
        )


def _ratio_statistics(scores: Sequence[CaseScore]) -> Iterable[Statistic]:
    """Sums of tops over sums of bottoms: a case with more to find weighs more; a mean where all bottoms are 1."""
    for name in sorted({name for score in scores for name in score.ratios}, key=_natural):
        found = [score for score in scores if name in score.ratios]
        yield _additive(name, found, [(score.ratios[name].top, score.ratios[name].bottom) for score in found], _share)


def _natural(name: str) -> tuple[str, int]:
    """`recall@10` after `recall@9`."""
    stem, _, depth = name.partition("@")
    return stem, int(depth) if depth.isdigit() else 0
