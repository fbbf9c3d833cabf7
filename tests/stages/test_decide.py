"""From evidence to a verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain import Check, CheckKind, Label, Stance, Verdict
from agent.stages.decide import Sides, check_verdict, decide, load_decision
from tests.build import document, evidence

A, B, C, D = (document(f"Text of {name}.", name, publisher=f"Paper {name}") for name in "abcd")
DOCUMENTS = {source.id: source for source in (A, B, C, D)}
YES, NO, MEH = Stance.SUPPORTS, Stance.REFUTES, Stance.NEUTRAL


def verdict(*pieces, checks=(), **options):
    return decide(pieces, checks, DOCUMENTS, **options)


@pytest.mark.parametrize(
    ("stances", "label"),
    [
        ((), Label.NOT_ENOUGH_EVIDENCE),
        ((MEH, MEH), Label.NOT_ENOUGH_EVIDENCE),
        ((YES, MEH), Label.SUPPORTED),
        ((NO, MEH), Label.REFUTED),
        ((YES, NO), Label.CONFLICTING),
        ((YES, YES, NO), Label.SUPPORTED),
        ((YES, YES, NO, NO), Label.CONFLICTING),
        ((YES, YES, YES, NO), Label.SUPPORTED),
        ((NO, NO, NO, YES), Label.REFUTED),
    ],
)
def test_the_label_follows_from_the_weights_of_the_sides(stances, label):
    """One side decides; two sides conflict unless one is much heavier than the other."""
    pieces = [evidence(source, stance) for source, stance in zip((A, B, C, D), stances, strict=False)]
    found = verdict(*pieces)
    assert found.label is label
    check_verdict(found, pieces, DOCUMENTS)


def test_one_origin_does_not_turn_what_the_others_firmly_say():
    """However sure it is; two origins may, and so may one where the others are unsure."""
    sources = [document(f"Report {n}.", f"d{n}") for n in range(4)]
    sure = [evidence(source, YES, score=0.98) for source in sources[:2]]
    firm = [evidence(source, NO, score=0.6) for source in sources[2:]]
    documents = {source.id: source for source in sources}

    def label(*pieces):
        return decide(pieces, (), documents).label

    assert label(*firm) is Label.REFUTED
    assert label(sure[0], *firm) is Label.CONFLICTING
    assert label(*sure, *firm) in {Label.SUPPORTED, Label.CONFLICTING}
    assert label(*sure, firm[0].model_copy(update={"scores": evidence(sources[2], NO, score=0.4).scores})) is (
        Label.SUPPORTED
    )
    against = [evidence(source, NO, score=0.98) for source in sources[:1]]
    believed = [evidence(source, YES, score=0.6) for source in sources[2:]]
    assert label(*believed) is Label.SUPPORTED
    assert label(*against, *believed) is Label.CONFLICTING


@given(st.floats(0.34, 1), st.lists(st.floats(0.34, 1), min_size=1, max_size=3))
def test_a_lone_planted_voice_never_makes_a_firm_verdict_its_opposite(lone, others):
    """Whatever the scores."""
    sources = [document(f"Report {n}.", f"d{n}") for n in range(len(others) + 1)]
    documents = {source.id: source for source in sources}
    rest = [evidence(source, NO, score=score) for source, score in zip(sources[1:], others, strict=True)]
    before = decide(rest, (), documents)
    after = decide([evidence(sources[0], YES, score=lone), *rest], (), documents)
    if before.label is Label.REFUTED and before.confidence > 0.5:
        assert after.label is not Label.SUPPORTED


def test_copies_of_one_origin_count_once():
    """Thirty wire copies are one voice, so they do not outweigh a contrary one."""
    copies = [evidence(document(f"Copy {n}.", f"x{n}"), YES, origin="wire") for n in range(30)]
    sources = DOCUMENTS | {f"x{n}": document(f"Copy {n}.", f"x{n}") for n in range(30)}
    found = decide([*copies, evidence(A, NO)], (), sources)
    assert (found.label, found.origins) == (Label.CONFLICTING, 2)


def test_a_failed_check_blocks_support_and_is_said():
    """A number that differs cannot support, and the justification names the source."""
    piece = evidence(A, YES)
    failed = Check(kind=CheckKind.NUMBER, claim_value="62", quote_value="15", agrees=False, passage_id=piece.passage_id)
    found = verdict(piece, checks=[failed])
    assert (found.label, found.rationale) == (Label.NOT_ENOUGH_EVIDENCE, ())
    assert "Paper a" in found.justification


def test_the_justification_quotes_both_sides():
    """A contrary voice is cited even when it is outweighed."""
    found = verdict(evidence(A, YES), evidence(B, YES), evidence(C, YES), evidence(D, NO))
    assert found.justification.startswith("3 independent origins support it:")
    assert "1 independent origin contradicts it: Paper d: “Text of d”." in found.justification
    assert {citation.stance for citation in found.rationale} == {YES, NO}


def test_low_confidence_abstains():
    """The threshold is the user's; the label stays visible."""
    assert verdict(evidence(A, YES), abstain_below=0.99).abstained
    assert not verdict(evidence(A, YES), abstain_below=0.5).abstained


@given(st.lists(st.sampled_from([YES, NO, MEH]), max_size=4), st.randoms())
def test_the_order_of_evidence_does_not_matter(stances, random):
    """Same evidence, same verdict."""
    pieces = [evidence(s, stance, score=0.7) for s, stance in zip((A, B, C, D), stances, strict=False)]
    shuffled = random.sample(pieces, len(pieces))
    assert verdict(*pieces) == verdict(*shuffled)


WEIGHTS = st.floats(0, 40)


@given(WEIGHTS, WEIGHTS, st.floats(0, 5))
def test_probabilities_sum_to_one_and_follow_the_sides(support, against, more):
    """More weight for the heavier side never makes its label less likely, nor the other side's more."""
    model = load_decision()
    before = model.probabilities(Sides(support, against))
    after = model.probabilities(Sides(support + more, against))
    assert sum(before.values()) == pytest.approx(1)
    assert all(0 <= chance <= 1 for chance in before.values())
    assert after[Label.REFUTED] <= before[Label.REFUTED] + 1e-9
    if support >= against:
        assert after[Label.NOT_ENOUGH_EVIDENCE] <= before[Label.NOT_ENOUGH_EVIDENCE] + 1e-9
        assert after[Label.SUPPORTED] >= before[Label.SUPPORTED] - 1e-9


def test_the_shipped_decision_says_what_it_was_fitted_on():
    """Version, halves and a hash of the data are in the file."""
    fitted = load_decision().fitted
    assert fitted is not None
    assert (fitted.half, len(fitted.data_sha256)) == ("tuning", 64)
    assert fitted.items > 500


@given(st.lists(st.tuples(st.sampled_from([YES, NO, MEH]), st.floats(0.34, 1)), max_size=4), st.integers(1, 4))
def test_a_label_rests_on_citations_of_its_side_whatever_the_evidence(rows, copies):
    """For any evidence; and copies of a document, of the same origin, change neither label nor confidence."""
    pieces = [evidence(s, stance, score=score) for s, (stance, score) in zip((A, B, C, D), rows, strict=False)]
    found = verdict(*pieces)
    check_verdict(found, pieces, DOCUMENTS)
    again = verdict(*pieces * copies)
    assert (again.label, again.confidence, again.origins) == (found.label, found.confidence, found.origins)


def test_a_verdict_that_does_not_rest_on_its_evidence_is_a_defect():
    """A citation from elsewhere, a moved quote, or a label without its side raises."""
    piece = evidence(A, YES)
    good = verdict(piece)
    with pytest.raises(ValueError, match="belongs to no evidence"):
        check_verdict(good, [], DOCUMENTS)
    with pytest.raises(ValueError, match="not at its place"):
        check_verdict(good, [piece], {"a": document("Other text.", "a")})
    bare = Verdict(label=Label.REFUTED, justification="", origins=0)
    with pytest.raises(ValueError, match="no citation that"):
        check_verdict(bare, [piece], DOCUMENTS)


class TestWeights:
    """What a voice counts by the kind of its source."""

    def light(self, source, stance, weight):
        return evidence(source, stance, score=0.9).model_copy(update={"weight": weight})

    def test_a_lighter_voice_is_outweighed_and_said(self):
        """Two that are alike conflict; at a fifth the other one decides, and the justification names it."""
        assert verdict(evidence(A, YES, score=0.9), self.light(B, NO, 1)).label is Label.CONFLICTING
        found = verdict(evidence(A, YES, score=0.9), self.light(B, NO, 0.2))
        assert found.label is Label.SUPPORTED
        assert "Counted less, by the kind of source: Paper b (other, 0.2)." in found.justification

    def test_without_weights_nothing_is_said(self):
        """The ordinary case."""
        assert "Counted less" not in verdict(evidence(A, YES), evidence(B, NO)).justification

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_a_heavier_voice_never_makes_a_side_less_likely(self, one, other):
        """Confidence in support grows with the weight."""
        lighter, heavier = sorted((one, other))
        model = load_decision()
        sides = [Sides(support=weight * 2.3, against=0.0) for weight in (lighter, heavier)]
        chances = [model.probabilities(side)[Label.SUPPORTED] for side in sides]
        assert chances[0] <= chances[1] + 1e-12

    def test_a_voice_that_counts_nothing_decides_nothing(self):
        """It stays among the evidence."""
        assert verdict(self.light(A, YES, 0)).label is Label.NOT_ENOUGH_EVIDENCE
