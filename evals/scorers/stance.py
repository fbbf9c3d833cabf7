"""Scores of stances."""

from __future__ import annotations

from agent.domain import Stance
from evals.cases import StanceCase
from evals.record import CaseScore, Outcome, Ratio


def score_stance(case: StanceCase, outcome: Outcome, *, pair: str | None = None) -> CaseScore:
    """Gold stance and the one found; `two_way` where gold takes a side and the judge gives probabilities."""
    base = CaseScore(case_id=case.id, group=case.group_id, gold=case.stance.value, pair=pair)
    if outcome.failure is not None:
        return base.model_copy(update={"failure": f"{outcome.failure.stage}: {outcome.failure.message}"})
    if not outcome.evidence:
        return base.model_copy(update={"unscored": "the judge gave nothing"})
    piece = outcome.evidence[0]
    ratios = {}
    if piece.scores is not None and case.stance is not Stance.NEUTRAL:
        leans = piece.scores.supports >= piece.scores.refutes
        ratios["two_way"] = Ratio(top=float(leans == (case.stance is Stance.SUPPORTS)))
    return base.model_copy(
        update={
            "found": piece.stance.value,
            "confidence": piece.scores.of(piece.stance) if piece.scores else None,
            "ratios": ratios,
        }
    )
