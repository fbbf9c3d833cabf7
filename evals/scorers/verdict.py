"""Scores of verdicts: label, confidence, what was found, what was cited, and whether the citations carry it."""

from __future__ import annotations

from collections.abc import Mapping

from agent.domain import Citation, Document, Label, Stance, Verdict, Verification
from evals.cases import ClaimCase
from evals.record import CaseScore, Outcome, Ratio
from evals.scorers.retrieval import found_documents, gold_documents, ranking_ratios, second_look
from evals.solvers.verdict import weakens

_SIDES = {Label.SUPPORTED: {Stance.SUPPORTS}, Label.REFUTED: {Stance.REFUTES}}


def score_verdict(
    case: ClaimCase, outcome: Outcome, corpus: Mapping[str, Document], *, pair: str | None, is_retrieved: bool
) -> CaseScore:
    """The score of a gold claim's verification.

    Ratios: those of the ranking and of the second look when the evidence was retrieved; `quote_validity` (citations
    exact at their offsets in the corpus), `citation_precision` (citations in a gold document whose stance there is not
    the contrary one), `citation_recall` (gold documents, or of alternative groups one, that are cited; both after ALCE,
    Gao et al. 2023, with gold documents in place of an entailment model), `quote_alone` (the cited quotes alone give
    the same label), `removal_weakens` (without the cited evidence the verdict changes or is less sure), `two_way`
    (claims gold supports or refutes: the right side is the likelier, whatever the label).
    """
    base = CaseScore(case_id=case.id, group=case.group_id or case.id, gold=case.label.value, pair=pair)
    done = outcome.verification
    if done is None or done.failure is not None:
        failure = outcome.failure or (done.failure if done else None)
        why = f"{failure.stage}: {failure.message}" if failure else "no outcome"
        return base.model_copy(update={"failure": why})
    verdict = done.verdict
    if verdict is None:
        return base.model_copy(update={"unscored": "neither verdict nor failure"})
    ratios: dict[str, Ratio] = {}
    if is_retrieved:
        gold = gold_documents(case)
        ratios = ranking_ratios(gold, found_documents(done.hits)) | second_look(gold, done.hits)
    ratios |= _citations(case, verdict, corpus) | _carried(done, outcome, corpus) | _two_way(case, done)
    return base.model_copy(
        update={
            "found": verdict.label.value,
            "confidence": verdict.confidence,
            "abstained": verdict.abstained,
            "ratios": ratios,
            "note": "" if verdict.label is case.label else f"{case.label.shown} taken for {verdict.label.shown}",
        }
    )


def pairs_of(claims: Mapping[str, ClaimCase]) -> dict[str, str]:
    """Contrast pair of each case that is in one: by `pair_id`, else by the same text with another label."""
    by_text: dict[str, list[ClaimCase]] = {}
    for case in claims.values():
        by_text.setdefault(case.pair_id or f"text:{case.text}", []).append(case)
    return {
        case.id: name
        for name, cases in by_text.items()
        if len(cases) > 1 and len({case.label for case in cases}) > 1
        for case in cases
    }


def _citations(case: ClaimCase, verdict: Verdict, corpus: Mapping[str, Document]) -> dict[str, Ratio]:
    cited = verdict.rationale
    if not cited:
        return {}
    exact = sum(_is_exact(citation, corpus) for citation in cited)
    ratios = {"quote_validity": Ratio(top=exact, bottom=len(cited))}
    if not gold_documents(case):
        return ratios
    ratios["citation_precision"] = Ratio(top=sum(_is_gold(one, case) for one in cited), bottom=len(cited))
    if verdict.label is case.label and case.label is not Label.NOT_ENOUGH_EVIDENCE:
        wanted = _wanted(case)
        documents = {citation.document_id for citation in cited}
        ratios["citation_recall"] = Ratio(top=sum(bool(group & documents) for group in wanted), bottom=len(wanted))
    return ratios


def _is_exact(citation: Citation, corpus: Mapping[str, Document]) -> bool:
    document = corpus.get(citation.document_id)
    return document is not None and citation.span.of(document.text) == citation.quote


def _is_gold(citation: Citation, case: ClaimCase) -> bool:
    contrary = {Stance.SUPPORTS: Stance.REFUTES, Stance.REFUTES: Stance.SUPPORTS}.get(citation.stance)
    stances = {piece.stance for piece in case.evidence if piece.doc_id == citation.document_id}
    return bool(stances - {contrary, Stance.NEUTRAL})


def _wanted(case: ClaimCase) -> list[set[str]]:
    """Sets of documents of which one each is to be cited: alternative groups are one set."""
    sides = _SIDES.get(case.label, {Stance.SUPPORTS, Stance.REFUTES}) | {None}
    pieces = [piece for piece in case.evidence if piece.stance in sides]
    alternatives = {piece.doc_id for piece in pieces if piece.group is not None}
    alone = [{name} for name in dict.fromkeys(piece.doc_id for piece in pieces if piece.group is None)]
    return ([alternatives] if alternatives else []) + alone


def _carried(done: Verification, outcome: Outcome, corpus: Mapping[str, Document]) -> dict[str, Ratio]:
    ratios = {}
    if outcome.alone is not None and done.verdict is not None:
        ratios["quote_alone"] = Ratio(top=float(outcome.alone is done.verdict.label))
    weaker = weakens(done, corpus)
    if weaker is not None:
        ratios["removal_weakens"] = Ratio(top=float(weaker))
    return ratios


def _two_way(case: ClaimCase, done: Verification) -> dict[str, Ratio]:
    scored = [piece.scores for piece in done.evidence if piece.scores is not None]
    if case.label not in _SIDES or not scored:
        return {}
    support, against = max(one.supports for one in scored), max(one.refutes for one in scored)
    return {"two_way": Ratio(top=float((support >= against) == (case.label is Label.SUPPORTED)))}
