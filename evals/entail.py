"""Whether one text entails another, by the shipped cross-encoder: the scorer of extraction, not of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.desk import small_scorer
from agent.settings import Settings
from agent.stages.stance import Calibration, PairScorer, load_calibration, raw_scores, shared_words

THRESHOLD = 0.5
"""Least probability of support to count as entailed."""


class Entails(Protocol):
    """Scores pairs of premise and hypothesis."""

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> tuple[float, ...]:
        """Probability that each premise supports its hypothesis."""
        ...


class CrossEncoderEntails:
    """Probabilities of support by a cross-encoder under its calibration."""

    def __init__(self, scorer: PairScorer, calibration: Calibration) -> None:
        self._scorer = scorer
        self._calibration = calibration

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> tuple[float, ...]:
        """Probability that each premise supports its hypothesis."""
        if not pairs:
            return ()
        scores = self._calibration.apply(raw_scores(self._scorer, pairs), shared_words(pairs))
        return tuple(float(row[0]) for row in scores)


def shipped_entails(settings: Settings) -> CrossEncoderEntails:
    """The shipped cross-encoder.

    Raises:
        ConfigError: its tokenizer is not in the cache.
    """
    return CrossEncoderEntails(small_scorer(settings), load_calibration())
