"""A second opinion: the first judge reads every passage, the language model the best of them again.

Where both gave probabilities they are pooled log-linearly, as in `reading`: a linear read-out of both, to be fitted on
gold (`evals.training.fit_thorough`). The embedded language model has hardly any weight in what ships: it adds hardly
anything. A side that comes out must have a citation of one of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.domain import Claim, Data, Document, Evidence, Fit, Hit, Stance, StanceScores, short_hash
from agent.stages.judge import Judgement, StanceJudge
from agent.stages.stance import log_of, softmax

ASKED = 2
"""Passages of a claim that the second judge reads."""
_SIDES = (Stance.SUPPORTS, Stance.REFUTES)
_SAID = 0.75
"""Probability of what the second judge says where it gives none."""


class Blend(Data):
    """Weights of the two opinions, fitted on gold and kept as JSON."""

    version: Literal[1] = 1
    first: str = ""
    """Id of the judge it was fitted for."""
    second: str = ""
    own: float = 1
    """Weight of the log-probabilities of the first judge."""
    other: float = 0.5
    """Weight of those of the second."""
    refutes_bias: float = 0
    """Added to the log-probability of refutes."""
    neutral_bias: float = 0
    least: float = Field(default=0.35, ge=0, le=1)
    """A side is taken from this probability on."""
    fitted: Fit | None = None

    def apply(self, own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pooled probabilities of supports, refutes and neutral, row by row."""
        logits = self.own * log_of(own) + self.other * log_of(other)
        logits += np.array([0.0, self.refutes_bias, self.neutral_bias])
        return softmax(logits)


class ThoroughJudge:
    """Asks the second judge about the passages in which the first finds most, and pools what both say."""

    def __init__(self, first: StanceJudge, second: StanceJudge, blend: Blend) -> None:
        self._first = first
        self._second = second
        self._blend = blend

    @property
    def id(self) -> str:
        """Both judges and a hash of the weights."""
        return f"{self._first.id}, then {self._second.id}, {short_hash(self._blend.model_dump_json())[:8]}"

    async def judge(self, claim: Claim, hits: Sequence[Hit], documents: dict[str, Document]) -> Judgement:
        """What each passage says.

        Raises:
            ModelError: no usable reply of one of the two.
        """
        found = await self._first.judge(claim, hits, documents)
        rows = best_rows(found.evidence)
        again = await self._second.judge(claim, [hits[row] for row in rows], documents)
        evidence = list(found.evidence)
        for row, other in zip(rows, again.evidence, strict=True):
            evidence[row] = self._pooled(evidence[row], other)
        return Judgement(tuple(evidence), found.dropped_citations + again.dropped_citations)

    def _pooled(self, own: Evidence, other: Evidence) -> Evidence:
        pooled = self._blend.apply(scores_of(own)[None], scores_of(other)[None])[0]
        side = _SIDES[int(pooled[:2].argmax())]
        citation = next((piece.citation for piece in (own, other) if piece.stance is side), None)
        is_taken = citation is not None and pooled[:2].max() >= self._blend.least
        supports, refutes, neutral = (float(value) for value in pooled)
        return own.model_copy(
            update={
                "stance": side if is_taken else Stance.NEUTRAL,
                "citation": citation if is_taken else None,
                "scores": StanceScores(supports=supports, refutes=refutes, neutral=neutral),
            }
        )


def best_rows(evidence: Sequence[Evidence]) -> list[int]:
    """Places of the passages that speak most clearly for a side, in their order."""
    strength = [-scores_of(piece)[:2].max() for piece in evidence]
    return sorted(sorted(range(len(evidence)), key=lambda row: (strength[row], row))[:ASKED])


def scores_of(piece: Evidence) -> NDArray[np.float64]:
    """Probabilities of supports, refutes and neutral; made from the stance where the judge gave none."""
    if piece.scores is not None:
        return np.array([piece.scores.supports, piece.scores.refutes, piece.scores.neutral])
    return np.array([_SAID if piece.stance is stance else (1 - _SAID) / 2 for stance in (*_SIDES, Stance.NEUTRAL)])


def load_blend(first: str, second: str) -> Blend:
    """The parameters fitted for these two judges; for others the defaults, which are fitted for none."""
    text = files("agent.stages").joinpath("thorough.json").read_text(encoding="utf-8")
    shipped = Blend.model_validate_json(text)
    return shipped if (shipped.first, shipped.second) == (first, second) else Blend(first=first, second=second)
