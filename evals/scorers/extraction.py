"""Scores of extraction: is the sentence checkable, are its claims found, does it entail them."""

from __future__ import annotations

from collections.abc import Sequence

from agent.domain import SentenceStatus
from evals.cases import SentenceCase
from evals.entail import THRESHOLD, Entails
from evals.record import CaseScore, Outcome, Ratio
from evals.solvers.article import MATCH, likeness

UNRATED_SOURCES = frozenset({"factscore"})
"""Sources all of whose sentences were kept because they are factual: they say nothing about check-worthiness."""


def score_sentence(case: SentenceCase, outcome: Outcome, *, entails: Entails | None) -> CaseScore:
    """The score of one sentence.

    Classes: `checkable` or `not_checkable`; an ambiguous sentence counts as not checkable.
    Ratios: `claim_coverage`, gold claims that some found claim entails and is entailed by, each with a probability of
    at least 0.5; `claim_coverage_words`, the same by F1 of content words of at least 0.5; `claim_entailed`, found
    claims that the sentence entails (or its context, where the set gives one). Those by entailment need a scorer.

    Args:
        case: gold.
        outcome: what was extracted.
        entails: scorer of pairs; None leaves out what needs it.
    """
    base = CaseScore(case_id=case.id, group=case.group_id or case.id)
    if outcome.failure is not None or outcome.entry is None:
        failure = outcome.failure
        return base.model_copy(update={"failure": f"{failure.stage}: {failure.message}" if failure else "no outcome"})
    found = "checkable" if outcome.entry.status is SentenceStatus.CHECKED else "not_checkable"
    gold = "checkable" if case.checkworthy else "not_checkable"
    rated = case.source not in UNRATED_SOURCES
    return base.model_copy(
        update={
            "gold": gold if rated else None,
            "found": found if rated else None,
            "ratios": {}
            if outcome.claims is None
            else _claims(case, [claim.text for claim in outcome.claims], entails),
            "note": outcome.entry.reason,
        }
    )


def _claims(case: SentenceCase, found: Sequence[str], entails: Entails | None) -> dict[str, Ratio]:
    ratios = {}
    if case.claims:
        alike = sum(any(likeness(one, gold) >= MATCH for one in found) for gold in case.claims)
        ratios["claim_coverage_words"] = Ratio(top=alike, bottom=len(case.claims))
        if entails:
            covered = sum(_is_covered(gold, found, entails) for gold in case.claims)
            ratios["claim_coverage"] = Ratio(top=covered, bottom=len(case.claims))
    if found and entails:
        premises = [case.text, *([case.context] if case.context else [])]
        best = [max(entails.probabilities([(premise, claim) for premise in premises])) for claim in found]
        ratios["claim_entailed"] = Ratio(top=sum(value >= THRESHOLD for value in best), bottom=len(found))
    return ratios


def _is_covered(gold: str, found: Sequence[str], entails: Entails) -> bool:
    """Whether one found claim says neither less nor more; equal texts need no scorer."""
    if gold in found:
        return True
    forth = entails.probabilities([(one, gold) for one in found])
    back = entails.probabilities([(gold, one) for one in found])
    return any(min(pair) >= THRESHOLD for pair in zip(forth, back, strict=True))
