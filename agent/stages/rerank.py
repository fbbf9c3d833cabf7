"""Re-ranking: the small cross-encoder reads the first fused passages, and what it sees is mixed with their fused score.

A stance model tells what bears on a claim from what does not, but it was not made to rank: alone it puts a passage that
takes a side by mistake before the one that is on the subject. So its opinion is one part of a mixture, beside the fused
score and the share of the claim's words, with weights fitted on gold by `evals.training.fit_rerank`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Data, Fit, short_hash
from agent.errors import ModelError
from agent.stages.retrieve import Fused
from agent.stages.stance import PairScorer, raw_scores, shared_words

FEATURES = ("fused", "bearing", "words")
"""What is mixed; see `features_of`."""
_FUSED_SCALE = 10.0
"""Makes the score of a passage that both rankings have first about one."""
_TINY = 1e-3


class RerankFit(Fit):
    """What the weights were fitted on, and what they brought there."""

    figures: dict[str, float] = Field(default_factory=dict)
    """Recall and reciprocal rank on groups that were held out, fused and re-ranked."""


class Mixture(Data):
    """Weights of the parts of a re-ranking, kept as JSON."""

    version: Literal[1] = 1
    scorer: str
    """Id of the scorer they were fitted for."""
    depth: int = Field(default=20, ge=1, le=100)
    """How many of the fused passages are read."""
    weights: tuple[float, float, float]
    """Of `FEATURES`, in their order."""
    fitted: RerankFit | None = None


class CrossEncoderReranker:
    """A scorer of pairs as re-ranker: each passage is one pair."""

    def __init__(self, scorer: PairScorer, mixture: Mixture) -> None:
        """Take a scorer and the mixture that was fitted for it.

        Raises:
            ModelError: the mixture was fitted for another scorer.
        """
        if mixture.scorer != scorer.id:
            raise ModelError(f"re-ranking is for {mixture.scorer!r} and not for {scorer.id!r}: run fit_rerank")
        self._scorer = scorer
        self._mixture = mixture

    @property
    def id(self) -> str:
        """Id of the scorer and a hash of the weights."""
        return f"{self._scorer.id}+{short_hash(self._mixture.model_dump_json())[:8]}"

    @property
    def depth(self) -> int:
        """How many of the fused passages are read."""
        return self._mixture.depth

    def scores(self, claim: str, passages: Sequence[Fused]) -> Sequence[float]:
        """The mixture for each passage.

        Raises:
            ModelError: the scorer gave something else than probabilities.
        """
        mixed = features_of(self._scorer, claim, passages) @ np.array(self._mixture.weights)
        return [float(score) for score in mixed]


def features_of(scorer: PairScorer, claim: str, passages: Sequence[Fused]) -> NDArray[np.float64]:
    """Row by row: the fused score; the log-odds that the passage takes a side; the share of the claim's words in it."""
    texts = [" ".join(passage.text.split()) for passage in passages]
    raw = raw_scores(scorer, [(text, claim) for text in texts]).astype(np.float64)
    neutral = np.clip(raw[:, 2], _TINY, 1 - _TINY)
    words = shared_words([(f"{passage.title} {text}", claim) for passage, text in zip(passages, texts, strict=True)])
    fused = np.array([passage.score for passage in passages]) * _FUSED_SCALE
    found: NDArray[np.float64] = np.column_stack((fused, np.log((1 - neutral) / neutral), words))
    return found


@cache
def load_mixture() -> Mixture:
    """The weights that come with the package."""
    path = files("agent.stages").joinpath("rerank.json")
    return Mixture.model_validate_json(path.read_text(encoding="utf-8"))
