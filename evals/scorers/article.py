"""Scores of the whole pipeline on an annotated article, one for each gold claim."""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain import Document, SentenceStatus
from evals.cases import ArticleCase
from evals.record import CaseScore, Outcome, Ratio


def score_article(case: ArticleCase, outcome: Outcome, corpus: Mapping[str, Document]) -> CaseScore:
    """What became of a gold claim.

    Classes are labels, over gold claims that a found claim matches (shared words within the sentence, see
    `evals.solvers.article.match_claims`). Ratios: `sentence_in_ledger`; `sentence_checked`, whether the sentence is
    taken for checkable just when the claim is; `claim_coverage`, checkable gold claims with a matching found claim;
    `verdict_of_all_gold`, right labels over all checkable gold claims; `quote_validity`; `document_overlap`, whether
    a document gold cites is cited, where both cite one.
    """
    base = CaseScore(case_id=case.id, group=case.group_id or case.id)
    if outcome.failure is not None:
        return base.model_copy(update={"failure": f"{outcome.failure.stage}: {outcome.failure.message}"})
    ratios = _sentence(case, outcome)
    if not case.checkable:
        return base.model_copy(update={"ratios": ratios})
    done = outcome.verification
    verdict = done.verdict if done else None
    if done and done.failure:
        return base.model_copy(update={"failure": f"{done.failure.stage}: {done.failure.message}"})
    ratios["claim_coverage"] = Ratio(top=float(done is not None))
    ratios["verdict_of_all_gold"] = Ratio(top=float(verdict is not None and verdict.label is case.label))
    if verdict is None:
        return base.model_copy(update={"ratios": ratios, "note": "no claim found that matches"})
    if verdict.rationale:
        exact = sum(
            one.document_id in corpus and one.span.of(corpus[one.document_id].text) == one.quote
            for one in verdict.rationale
        )
        ratios["quote_validity"] = Ratio(top=exact, bottom=len(verdict.rationale))
        if case.doc_ids:
            shared = {citation.document_id for citation in verdict.rationale} & set(case.doc_ids)
            ratios["document_overlap"] = Ratio(top=float(bool(shared)))
    return base.model_copy(
        update={
            "gold": case.label.value if case.label else None,
            "found": verdict.label.value,
            "confidence": verdict.confidence,
            "abstained": verdict.abstained,
            "ratios": ratios,
        }
    )


def _sentence(case: ArticleCase, outcome: Outcome) -> dict[str, Ratio]:
    ratios = {"sentence_in_ledger": Ratio(top=float(outcome.entry is not None))}
    if outcome.entry is not None:
        checked = outcome.entry.status is SentenceStatus.CHECKED
        ratios["sentence_checked"] = Ratio(top=float(checked == case.checkable))
    return ratios
