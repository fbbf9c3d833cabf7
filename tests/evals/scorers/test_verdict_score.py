"""Scores of verdicts."""

import math

import pytest

from agent.domain import Check, CheckKind, Failure, FailureKind, Label, Stance, Verification
from agent.stages.decide import decide, load_decision
from evals.cases import ClaimCase, GoldPiece
from evals.record import Outcome
from evals.scorers.verdict import pairs_of, score_verdict
from evals.solvers.verdict import weakens
from tests.build import claim, document, evidence, hit

MILL = document("The mill burnt down. Nobody was hurt.", "mill", publisher="Post")
FLOUR = document("The mill made 400 tons of flour.", "flour", publisher="Trade Review")
OTHER = document("The mill never burnt down.", "other", publisher="Daily")
CORPUS = {one.id: one for one in (MILL, FLOUR, OTHER)}


def gold(name, stance, group=None):
    return GoldPiece(doc_id=name, quote=CORPUS[name].text, stance=stance, group=group)


def case(label=Label.SUPPORTED, evidence=None, name="c", **fields):
    evidence = (gold("mill", Stance.SUPPORTS),) if evidence is None else evidence
    return ClaimCase(id=name, text="The mill burnt down.", label=label, evidence=evidence, **fields)


def verified(*pieces, checks=(), hits=()):
    verdict = decide(pieces, checks, CORPUS)
    return Verification(claim=claim(), evidence=pieces, checks=checks, hits=hits, outcome=verdict)


def score(of, done, *, alone=None, is_retrieved=False, corpus=None):
    outcome = Outcome(case_id=of.id, verification=done, alone=alone)
    return score_verdict(of, outcome, corpus or CORPUS, pair=None, is_retrieved=is_retrieved)


def value(scored, name):
    ratio = scored.ratios[name]
    return ratio.top / ratio.bottom


def test_a_right_verdict_with_the_gold_citation():
    """Label, confidence and citations all come out right."""
    scored = score(case(), verified(evidence(MILL, Stance.SUPPORTS, "The mill burnt down.", score=0.9)))
    assert (scored.gold, scored.found, scored.is_right, scored.note) == ("supported", "supported", True, "")
    fitted = load_decision()
    own = 10**fitted.own  # a weight of ln 10 at a chance of .9
    others = 1 + math.exp(fitted.nothing) + math.exp(fitted.conflict)
    assert scored.confidence == pytest.approx(own / (own + others), abs=1e-3)
    for name in ("quote_validity", "citation_precision", "citation_recall", "two_way"):
        assert value(scored, name) == 1


def test_a_citation_that_is_not_in_the_corpus_is_invalid():
    """Exactness is checked against the suite's own text, not believed."""
    changed = dict(CORPUS) | {"mill": document("The mill is fine. Nobody was hurt at all.", "mill")}
    done = verified(evidence(MILL, Stance.SUPPORTS))
    assert value(score(case(), done, corpus=changed), "quote_validity") == 0
    assert value(score(case(), done, corpus={"flour": FLOUR}), "quote_validity") == 0


def test_a_citation_of_another_document_or_of_the_contrary_stance_is_not_precise():
    """Gold says the document supports: citing it as refuting is wrong, and so is a document gold does not name."""
    other = score(case(), verified(evidence(FLOUR, Stance.SUPPORTS)))
    contrary = score(case(), verified(evidence(MILL, Stance.REFUTES)))
    unknown = score(case(evidence=(gold("mill", None),)), verified(evidence(MILL, Stance.REFUTES)))
    assert [value(one, "citation_precision") for one in (other, contrary, unknown)] == [0, 0, 1]


def test_recall_counts_one_document_of_alternative_groups():
    """Any one group suffices; documents without a group are each wanted."""
    alternatives = case(evidence=(gold("mill", Stance.SUPPORTS, 0), gold("flour", Stance.SUPPORTS, 1)))
    both = case(evidence=(gold("mill", Stance.SUPPORTS), gold("flour", Stance.SUPPORTS)))
    done = verified(evidence(MILL, Stance.SUPPORTS))
    assert value(score(alternatives, done), "citation_recall") == 1
    assert value(score(both, done), "citation_recall") == 0.5


def test_recall_is_scored_only_where_the_label_is_right():
    """Citations for the wrong verdict recall nothing."""
    assert "citation_recall" not in score(case(Label.REFUTED), verified(evidence(MILL, Stance.SUPPORTS))).ratios


def test_the_side_that_is_likelier_is_scored_even_without_a_verdict():
    """Two-way accuracy looks at the probabilities, so abstaining hides nothing."""
    unsure = evidence(MILL, Stance.NEUTRAL, score=0.6).model_copy(
        update={"scores": evidence(MILL, Stance.REFUTES, score=0.4).scores}
    )
    scored = score(case(Label.REFUTED, (gold("mill", Stance.REFUTES),)), verified(unsure))
    assert (scored.found, value(scored, "two_way")) == ("not_enough_evidence", 1)


def test_failures_and_missing_outcomes_are_never_labels():
    """A failure in a stage or of the case is told with its stage."""
    failure = Failure(stage="judge", kind=FailureKind.REPLY, message="garbage")
    staged = score(case(), Verification(claim=claim(), outcome=failure))
    assert (staged.found, staged.failure, staged.ratios) == (None, "judge: garbage", {})
    lost = score_verdict(case(), Outcome(case_id="c"), CORPUS, pair=None, is_retrieved=False)
    assert (lost.found, lost.failure) == (None, "no outcome")


def test_ranking_is_scored_only_where_the_search_ran():
    """The oracle's recall would be 1 by construction."""
    done = verified(evidence(MILL, Stance.SUPPORTS), hits=(hit(FLOUR), hit(MILL, 2)))
    assert "recall@5" not in score(case(), done).ratios
    assert value(score(case(), done, is_retrieved=True), "recall@5") == 1


def test_quotes_that_alone_say_something_else_do_not_carry_the_verdict():
    """The label of the quotes alone is compared with the verdict's."""
    done = verified(evidence(MILL, Stance.SUPPORTS))
    assert value(score(case(), done, alone=Label.SUPPORTED), "quote_alone") == 1
    assert value(score(case(), done, alone=Label.NOT_ENOUGH_EVIDENCE), "quote_alone") == 0
    assert "quote_alone" not in score(case(), done).ratios


def test_a_verdict_weakens_without_its_evidence():
    """Decided anew from what is left, the label changes; without citations there is nothing to take away."""
    assert weakens(verified(evidence(MILL, Stance.SUPPORTS)), CORPUS) is True
    assert weakens(verified(evidence(MILL, Stance.NEUTRAL)), CORPUS) is None


def test_a_verdict_that_stays_without_its_evidence_is_found_out():
    """Evidence that is not cited and yet holds the verdict up is caught: here a rationale that names too little."""
    done = verified(evidence(MILL, Stance.SUPPORTS, score=0.9), evidence(FLOUR, Stance.SUPPORTS, score=0.9))
    assert done.verdict is not None
    lone = done.verdict.model_copy(update={"rationale": done.verdict.rationale[:1], "confidence": 0.5})
    assert weakens(done.model_copy(update={"outcome": lone}), CORPUS) is False


def test_checks_that_block_support_stay_with_their_passage():
    """Taking a cited passage away takes its checks, too."""
    check = Check(
        kind=CheckKind.NUMBER, claim_value="900", quote_value="400", agrees=False,
        passage_id=evidence(FLOUR, Stance.SUPPORTS).passage_id,
    )  # fmt: skip
    done = verified(evidence(FLOUR, Stance.SUPPORTS), evidence(OTHER, Stance.REFUTES), checks=(check,))
    assert done.verdict is not None
    assert done.verdict.label is Label.REFUTED
    assert weakens(done, CORPUS) is True


def test_pairs_are_named_or_share_their_text():
    """A pair needs two labels; the same text with the same label twice is no pair."""
    one, other = case(name="1"), case(Label.REFUTED, name="2")
    twin, named = case(name="3", pair_id="p"), case(Label.REFUTED, name="4", pair_id="p")
    lone = case(name="5", pair_id="q")
    found = pairs_of({row.id: row for row in (one, other, twin, named, lone)})
    assert found == {"1": found["2"], "2": found["2"], "3": "p", "4": "p"}
    assert pairs_of({"1": one, "2": case(name="2")}) == {}
