"""Scores of extraction: is the sentence checkable, are its claims found, does it entail them."""

from __future__ import annotations

from collections.abc import Sequence

from agent.domain import Claim, SentenceStatus
from evals.alone import stands_alone
from evals.cases import SentenceCase
from evals.entail import THRESHOLD, Entails
from evals.record import CaseScore, Outcome, Ratio
from evals.solvers.article import MATCH, likeness

_BEFORE = 240
"""Characters of the text before a sentence that count as its context, as in `agent.stages.guard`."""
UNRATED_SOURCES = frozenset({"factscore"})
"""Sources all of whose sentences were kept because they are factual: they say nothing about check-worthiness."""


def score_sentence(case: SentenceCase, outcome: Outcome, *, entails: Entails | None) -> CaseScore:
    """The score of one sentence.

    Classes: `checkable` or `not_checkable`; an ambiguous sentence counts as not checkable.
    Ratios: `claim_coverage`, gold claims that some found claim entails, and that entail it behind the text before the
    sentence (gold keeps pronouns), each with a probability of at least 0.5; `claim_coverage_words`, the same by F1 of
    content words of at least 0.5; `claim_recall`, gold claims that some found claim entails, however much more it
    says; `claim_entailed`, found claims that the sentence entails behind the text before it
    (what somebody says is not entailed and not counted; that it was said is); `stands_alone`, found claims that can
    be read alone (`evals.alone`); `claim_is_sentence`, found claims that are the sentence itself. The two by
    entailment need a scorer.

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
            "ratios": {} if outcome.claims is None else _claims(case, outcome.claims, entails),
            "note": outcome.entry.reason,
        }
    )


def _claims(case: SentenceCase, found: Sequence[Claim], entails: Entails | None) -> dict[str, Ratio]:
    ratios, texts = {}, [claim.text for claim in found]
    before = _before(case)
    if case.claims:
        alike = sum(any(likeness(one, gold) >= MATCH for one in texts) for gold in case.claims)
        ratios["claim_coverage_words"] = Ratio(top=alike, bottom=len(case.claims))
        if entails:
            told = [_matched(gold, texts, before, entails) for gold in case.claims]
            ratios["claim_coverage"] = Ratio(top=sum(both for _, both in told), bottom=len(case.claims))
            ratios["claim_recall"] = Ratio(top=sum(forth for forth, _ in told), bottom=len(case.claims))
    if found:
        ratios["stands_alone"] = Ratio(top=sum(stands_alone(text) for text in texts), bottom=len(texts))
        ratios["claim_is_sentence"] = Ratio(top=sum(claim.is_sentence for claim in found), bottom=len(found))
    stated = [claim for claim in found if claim.content_of is None]
    if stated and entails:
        values = entails.probabilities([(f"{before} {case.text}".strip(), claim.text) for claim in stated])
        exact = [claim.is_sentence or value >= THRESHOLD for claim, value in zip(stated, values, strict=True)]
        ratios["claim_entailed"] = Ratio(top=sum(exact), bottom=len(stated))
    return ratios


def _before(case: SentenceCase) -> str:
    """The end of the text before the sentence: it says who "he" is."""
    before, found, _ = (case.context or "").partition(case.text)
    return " ".join(before[-_BEFORE:].split()) if found else ""


def _matched(gold: str, found: Sequence[str], before: str, entails: Entails) -> tuple[bool, bool]:
    """Whether a found claim says no less than the gold one, and whether one says neither less nor more.

    Equal texts need no scorer.
    """
    if gold in found:
        return True, True
    forth = entails.probabilities([(one, gold) for one in found])
    back = entails.probabilities([(f"{before} {gold}".strip(), one) for one in found])
    says = [value >= THRESHOLD for value in forth]
    return any(says), any(one and value >= THRESHOLD for one, value in zip(says, back, strict=True))
