"""How far confidence can be believed: Brier score, calibration error, accuracy at coverage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evals.intervals import wilson
from evals.metrics.base import Floats, Statistic
from evals.record import CaseScore

BINS = 10
_CHUNK = 4_000_000
"""Most numbers held at once while sorting out coverage."""
_POINTS = 200


class Bin(NamedTuple):
    """Cases whose confidence lies in one tenth of the range."""

    low: float
    high: float
    n: int
    confidence: float
    """Mean."""
    accuracy: float
    accuracy_low: float
    accuracy_high: float


class Point(NamedTuple):
    """Accuracy when only the surest share of cases is answered."""

    coverage: float
    accuracy: float


@dataclass(frozen=True)
class _Summed:
    name: str
    case_ids: tuple[str, ...]
    groups: tuple[str, ...]
    columns: Floats

    def under(self, weights: Floats) -> Floats:
        """Brier score or, with three columns a bin, expected calibration error."""
        sums = weights @ self.columns
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.columns.shape[1] == 1:
                return np.asarray(sums[:, 0] / total, dtype=np.float64)
            gaps = np.abs(sums[:, :BINS] - sums[:, BINS:])  # in a bin: sum of confidence against sum of right ones
            return np.asarray(gaps.sum(axis=1) / total, dtype=np.float64)


@dataclass(frozen=True)
class _Covered:
    """Accuracy over the surest part of the cases."""

    name: str
    case_ids: tuple[str, ...]
    groups: tuple[str, ...]
    confidence: Floats
    right: Floats
    share: float | None
    """Coverage; None for the mean over all coverages."""

    def under(self, weights: Floats) -> Floats:
        """Ties in confidence are taken as a whole or in equal parts, so their order does not matter."""
        values, tie = np.unique(-self.confidence, return_inverse=True)
        step = max(1, _CHUNK // max(1, len(self.confidence)))
        parts = []
        for start in range(0, len(weights), step):
            some = weights[start : start + step]
            parts.append(self._of(_by_tie(some, tie, len(values)), _by_tie(some * self.right, tie, len(values))))
        return np.concatenate(parts) if parts else np.empty(0)

    def _of(self, mass: Floats, right: Floats) -> Floats:
        """From mass and right mass of each level of confidence, surest first, both (b, levels)."""
        total = mass.sum(axis=1, keepdims=True)
        before = np.cumsum(mass, axis=1) - mass
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracy = np.where(mass > 0, right / np.where(mass > 0, mass, 1), 0)
            if self.share is not None:
                taken = np.clip(self.share * total - before, 0, mass)
                return np.asarray((taken * accuracy).sum(axis=1) / (self.share * total[:, 0]), dtype=np.float64)
            risk = 1 - np.cumsum(right, axis=1) / np.where(before + mass > 0, before + mass, 1)
            return np.asarray((risk * mass).sum(axis=1) / total[:, 0], dtype=np.float64)


def _by_tie(weights: Floats, tie: np.ndarray[tuple[int], np.dtype[np.intp]], levels: int) -> Floats:
    """Weights of shape (b, n) summed within levels of confidence, shape (b, levels)."""
    order = np.argsort(tie, kind="stable")
    starts = np.searchsorted(tie[order], np.arange(levels))
    return np.asarray(np.add.reduceat(weights[:, order], starts, axis=1), dtype=np.float64)


def calibration_statistics(scores: Sequence[CaseScore]) -> Iterable[Statistic]:
    """Brier score, ECE, accuracy at half coverage and area under the risk-coverage curve.

    Confidence is taken for the probability that the class found is right.

    `brier`: mean squared difference of confidence and right (1) or wrong (0) (Brier 1950).
    `ece`: over ten bins of equal width, the mean gap between confidence and accuracy, weighted by cases (Naeini et al.
    2015; Guo et al. 2017). `accuracy@50`: accuracy of the surer half; `aurc`: mean error over all coverages, at each
    level of confidence (El-Yaniv & Wiener 2010; Geifman et al. 2019).
    """
    found = [score for score in scores if score.confidence is not None]
    if not found:
        return
    names, groups = tuple(score.case_id for score in found), tuple(score.group for score in found)
    confidence, right = _arrays(found)
    yield _Summed("brier", names, groups, ((confidence - right) ** 2).reshape(-1, 1))
    bins = np.eye(BINS)[_bins_of(confidence)]
    yield _Summed("ece", names, groups, np.hstack([bins * confidence[:, None], bins * right[:, None]]))
    yield _Covered("accuracy@50", names, groups, confidence, right, 0.5)
    yield _Covered("aurc", names, groups, confidence, right, None)


def reliability_bins(scores: Sequence[CaseScore]) -> tuple[Bin, ...]:
    """The bins behind `ece` that hold cases; accuracy with its Wilson interval."""
    found = _with_confidence(scores)
    if not found:
        return ()
    confidence, right = _arrays(found)
    numbers = _bins_of(confidence)
    bins = []
    for number in range(BINS):
        inside = numbers == number
        if n := int(inside.sum()):
            share = wilson(int(right[inside].sum()), n)
            mean = float(confidence[inside].mean())
            bins.append(Bin(number / BINS, (number + 1) / BINS, n, mean, share.value, share.low, share.high))
    return tuple(bins)


def risk_coverage(scores: Sequence[CaseScore]) -> tuple[Point, ...]:
    """Accuracy at each coverage, surest cases first, at the ends of ties; at most 200 points."""
    found = _with_confidence(scores)
    if not found:
        return ()
    confidence, right = _arrays(found)
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, [True]))
    correct = np.cumsum(right[order])
    points = [Point(float(end + 1) / len(found), float(correct[end]) / float(end + 1)) for end in ends]
    step = max(1, -(-len(points) // _POINTS))
    return tuple(points[::-1][::step][::-1])


def _with_confidence(scores: Sequence[CaseScore]) -> list[CaseScore]:
    return [
        score
        for score in scores
        if score.confidence is not None and score.is_right is not None and not score.unscored and not score.failure
    ]


def _arrays(scores: Sequence[CaseScore]) -> tuple[Floats, Floats]:
    confidence = np.array([score.confidence for score in scores], dtype=np.float64)
    return confidence, np.array([float(score.is_right is True) for score in scores])


def _bins_of(confidence: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Bin of each confidence: [0, 0.1), ..., [0.9, 1]."""
    return np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
