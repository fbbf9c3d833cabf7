"""Scores of rankings: gold documents among those found."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.domain import Hit, Stance
from evals.cases import ClaimCase
from evals.record import CaseScore, Outcome, Ratio

DEEPEST = 10


def score_retrieval(case: ClaimCase, outcome: Outcome) -> CaseScore:
    """The ranking of a claim's hits against its gold documents; a claim without any is unscored."""
    base = CaseScore(case_id=case.id, group=case.group_id or case.id)
    if outcome.failure is not None:
        return base.model_copy(update={"failure": f"{outcome.failure.stage}: {outcome.failure.message}"})
    gold = gold_documents(case)
    if not gold:
        return base.model_copy(update={"unscored": "gold names no document"})
    ratios = ranking_ratios(gold, found_documents(outcome.hits), curve=True) | second_look(gold, outcome.read)
    return base.model_copy(update={"ratios": ratios})


def gold_documents(case: ClaimCase) -> frozenset[str]:
    """Documents gold takes for evidence: all that bear on the claim, or, where none does, those judged neutral."""
    bearing = frozenset(piece.doc_id for piece in case.evidence if piece.stance is not Stance.NEUTRAL)
    return bearing or frozenset(piece.doc_id for piece in case.evidence)


def found_documents(hits: Sequence[Hit]) -> tuple[str, ...]:
    """Documents in the order of their best passage."""
    return tuple(dict.fromkeys(hit.passage.document_id for hit in hits))


def second_look(gold: frozenset[str], hits: Sequence[Hit]) -> dict[str, Ratio]:
    """What further rounds bring to a claim whose first round misses every gold document; empty for other claims.

    `second_look_found`: whether a later round finds one.
    `second_look_made`: whether there was a later round at all that found something new.
    """
    first = {hit.passage.document_id for hit in hits if hit.round == 1}
    if not gold or not hits or gold & first:
        return {}
    later = {hit.passage.document_id for hit in hits if hit.round > 1}
    return {
        "second_look_found": Ratio(top=float(bool(gold & later))),
        "second_look_made": Ratio(top=float(bool(later))),
    }


def ranking_ratios(gold: frozenset[str], found: Sequence[str], *, curve: bool = False) -> dict[str, Ratio]:
    """Metrics of one ranking of documents; empty when gold is.

    `recall@k`: share of gold documents among the first k. `mrr`: 1 over the rank of the first gold document, 0 when
    none is found (Voorhees 1999). `ndcg@10`: discounted cumulative gain with binary relevance over that of the ideal
    ranking (Järvelin & Kekäläinen 2002).

    Args:
        gold: relevant documents.
        found: documents, best first, each once.
        curve: recall at every depth to 10, mrr and ndcg@10; else recall@5 alone, for rankings cut at a few passages.
    """
    if not gold:
        return {}
    depths = range(1, DEEPEST + 1) if curve else (5,)
    ratios = {f"recall@{k}": Ratio(top=len(gold & set(found[:k])) / len(gold)) for k in depths}
    if not curve:
        return ratios
    first = next((rank for rank, name in enumerate(found, start=1) if name in gold), None)
    gain = sum(1 / math.log2(rank + 1) for rank, name in enumerate(found[:DEEPEST], start=1) if name in gold)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(gold), DEEPEST) + 1))
    return ratios | {"mrr": Ratio(top=1 / first if first else 0.0), f"ndcg@{DEEPEST}": Ratio(top=gain / ideal)}
